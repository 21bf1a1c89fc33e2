import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import { isRecommended } from '../../../src/matrix/rooms/policy-server.ts';
import { getRoomVersion } from '../../../src/matrix/rooms/room-versions.ts';
import { isJsonObject } from '../../../src/kit/json.ts';
import { OTHER, THIRD } from '../federation-receiver/receiver-world.ts';
import type { ForeignEvent } from '../rooms/foreign-events.ts';
import { DAVE, ERIN, member, message } from '../rooms/receive-world.ts';
import {
  openPolicyWorld,
  OTHER_KEY,
  POLICY_SERVER_KEY,
  type PolicyWorld,
  publicKeyOf,
  refuses,
} from './policy-world.ts';

const POLICY = { serverName: OTHER, publicKey: publicKeyOf(POLICY_SERVER_KEY) };

describe('events of others in a room with a policy server', () => {
  let world: PolicyWorld;
  beforeEach(async () => {
    world = await openPolicyWorld();
    const erin = world.foreign.add(member(ERIN, ERIN, 'join'));
    expect(await world.give(erin)).to.include({ kind: 'accepted' });
    await world.enable();
    await world.foreign.adopt(world.house, (await world.standing('m.room.policy')) ?? '');
  });
  afterEach(() => world.close());

  const rejectionOf = async (event: ForeignEvent): Promise<string | null | undefined> =>
    (await world.find(event))?.rejection;
  const isSigned = async (event: ForeignEvent): Promise<boolean> => {
    const stored = await world.find(event);
    return isRecommended(getRoomVersion('11'), JSON.parse(stored?.pdu ?? '{}') as Pdu, POLICY);
  };
  /** The event as a server sends it that has asked the policy server itself. */
  const signed = (event: ForeignEvent, key = POLICY_SERVER_KEY): JsonObject => {
    const answer = world.recommend(event.pdu, key);
    const body = answer.kind === 'answered' ? answer.body : {};
    const signatures = { ...event.pdu['signatures'] };
    for (const [name, value] of Object.entries(body))
      signatures[name] = {
        ...(signatures[name] as JsonObject | undefined),
        ...(isJsonObject(value) && value),
      };
    return { ...event.pdu, signatures };
  };
  const fromErin = (body: string): ForeignEvent => world.foreign.add(message(ERIN, body));

  it('are taken as they are where they have its signature', async () => {
    const event = fromErin('signed');
    expect(world.outcomes(await world.transact([signed(event)], { origin: THIRD }))).to.deep.equal({
      [event.eventId]: null,
    });
    expect(world.seen).to.deep.equal([]);
    expect(await rejectionOf(event)).to.equal(null);
    const own = world.foreign.add(message(DAVE, 'of the policy server itself'));
    await world.transact([signed(own)]);
    expect(await rejectionOf(own)).to.equal(null);
    expect(world.seen).to.deep.equal([]);
  });

  it('are asked about where they have none, and stored with it', async () => {
    const event = fromErin('unsigned');
    await world.transact([event], { origin: THIRD });
    expect(world.seen).to.deep.equal([event.eventId]);
    expect(await rejectionOf(event)).to.equal(null);
    expect(await isSigned(event)).to.equal(true);
  });

  it('are asked about where their signature is of another key', async () => {
    const event = fromErin('of an older key');
    await world.transact([signed(event, OTHER_KEY)], { origin: THIRD });
    expect(world.seen).to.deep.equal([event.eventId]);
    expect(await isSigned(event)).to.equal(true);
  });

  for (const [what, answer] of [
    ['refuses', refuses(400, 'M_FORBIDDEN')],
    ['does not answer', { kind: 'unreachable', reason: 'timed out', retryTs: null }],
  ] as const)
    it(`are seen by nobody when it ${what}`, async () => {
      const before = await world.extremities();
      world.answer = () => answer;
      const event = fromErin('spam');
      const outcome = world.outcomes(await world.transact([event], { origin: THIRD }));
      expect(outcome).to.deep.equal({ [event.eventId]: null });
      expect(await rejectionOf(event)).to.match(/^soft-failed: the policy server of the room: /);
      expect(await world.extremities()).to.deep.equal(before);
      // Nor is it asked about again when it comes from somebody else.
      await world.transact([event]);
      expect(world.seen).to.deep.equal([event.eventId]);
    });

  it('are not asked about when they are not allowed', async () => {
    const event = world.foreign.add(member(ERIN, DAVE, 'ban'));
    await world.transact([event], { origin: THIRD });
    expect(await rejectionOf(event)).to.match(/^rejected/);
    expect(world.seen).to.deep.equal([]);
  });

  it('are asked about together when they come together, each once', async () => {
    const events = Array.from({ length: 6 }, (_, index) => fromErin(`${index}`));
    const outcome = world.outcomes(await world.transact(events, { origin: THIRD }));
    expect(Object.values(outcome)).to.deep.equal(events.map(() => null));
    expect([...world.seen].toSorted()).to.deep.equal(events.map(({ eventId }) => eventId).toSorted());
    expect(world.peers.asked).to.deep.equal([]);
    expect(await Promise.all(events.map(isSigned))).to.deep.equal(events.map(() => true));
    expect(await world.extremities()).to.deep.equal([events.at(-1)?.eventId]);
  });

  it('are asked about once more where it says that it has too much to do', async () => {
    let count = 0;
    world.answer = (pdu) => {
      count += 1;
      return count === 1 ? refuses(429, 'M_LIMIT_EXCEEDED', { retry_after_ms: 1 }) : world.recommend(pdu);
    };
    const event = fromErin('later');
    await world.transact([event], { origin: THIRD });
    expect(await rejectionOf(event)).to.equal(null);
    expect(world.seen).to.deep.equal([event.eventId, event.eventId]);
  });

  it('are not asked about when they name another policy server, or none', async () => {
    const event = world.foreign.add({ sender: DAVE, type: 'm.room.policy', stateKey: '', content: {} });
    await world.transact([event]);
    expect(await rejectionOf(event)).to.equal(null);
    const next = fromErin('free');
    await world.transact([next], { origin: THIRD });
    expect(await rejectionOf(next)).to.equal(null);
    expect(world.seen).to.deep.equal([]);
  });

  it('are not asked about when they are of the past, or outside of the timeline', async () => {
    const outlier = fromErin('an outlier');
    expect(await world.giveOutliers(outlier)).to.deep.equal(['accepted']);
    expect(world.seen).to.deep.equal([]);
  });

  it('that ask for their own place in the room are refused when it refuses', async () => {
    world.answer = () => refuses(400, 'M_FORBIDDEN');
    const user = '@frank:third.example';
    const join = world.foreign.add(member(user, user, 'join'));
    const received = await world.ask('federation-receiver.receive-event', {
      origin: THIRD,
      roomId: world.roomId,
      pdu: join.pdu,
      isRelayed: true,
    });
    expect(received).to.include({ kind: 'soft-failed' });
    expect((received as { reason: string }).reason).to.contain('looks like spam');
  });
});
