import { expect } from 'chai';
import type { FederationAnswer } from '../../../src/federation/federation-client.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import type { Refusal } from '../../../src/matrix/refusal.ts';
import type { Sent } from '../../../actors/rooms/protocol.ts';
import { isRecommended } from '../../../src/matrix/rooms/policy-server.ts';
import { getRoomVersion } from '../../../src/matrix/rooms/room-versions.ts';
import { OTHER } from '../federation-receiver/receiver-world.ts';
import { DAVE, message } from '../rooms/receive-world.ts';
import { ALICE, BOB, change, makeRoom, refused, sendMessage, sendState, sent } from '../rooms/rooms-house.ts';
import {
  openPolicyWorld,
  OTHER_KEY,
  POLICY_SERVER_KEY,
  type PolicyWorld,
  publicKeyOf,
  refuses,
} from './policy-world.ts';

const POLICY = { serverName: OTHER, publicKey: publicKeyOf(POLICY_SERVER_KEY) };

describe('own events in a room with a policy server', () => {
  let world: PolicyWorld;
  beforeEach(async () => {
    world = await openPolicyWorld();
  });
  let hasLeft = false;
  afterEach(async () => {
    if (hasLeft) await world.house.stop();
    else await world.close();
    hasLeft = false;
  });

  const say = (body: string, txnId: string | null = null): Promise<Sent | Refusal> =>
    sendMessage(world.house, world.roomId, ALICE, body, txnId);
  const isSigned = async (eventId: string): Promise<boolean> => {
    const stored = await world.find({ eventId });
    return isRecommended(getRoomVersion('11'), JSON.parse(stored?.pdu ?? '{}') as Pdu, POLICY);
  };
  /** Holds the policy server's next answer back until it is let go. */
  const holdBack = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { answer } = world;
    world.answer = async (pdu: JsonObject): Promise<FederationAnswer> => {
      await promise;
      return answer(pdu);
    };
    return () => {
      world.answer = answer;
      resolve();
    };
  };
  const untilAsked = async (count: number): Promise<void> => {
    while (world.seen.length < count) await new Promise((resolve) => setImmediate(resolve));
  };

  it('are asked about once, and stored and sent with its signature', async () => {
    await world.enable();
    const { eventId } = sent(await say('hello'));
    expect(world.seen).to.deep.equal([eventId]);
    expect(await isSigned(eventId)).to.equal(true);
    expect(world.told('federation.queue-event').map((told) => told['eventId'])).to.include(eventId);
    expect(await world.extremities()).to.deep.equal([eventId]);
  });

  it('are asked about whatever they are', async () => {
    await world.enable();
    const { eventId } = sent(await say('to be redacted'));
    const topic = await sendState(world.house, world.roomId, ALICE, {
      type: 'm.room.topic',
      content: { topic: 'new' },
    });
    const ban = await change(world.house, world.roomId, 'ban', ALICE, BOB);
    const redaction = await world.house.rooms.ask('rooms.redact-event', {
      roomId: world.roomId,
      sender: ALICE,
      eventId,
      content: {},
      transaction: null,
    });
    const ids = [topic, ban, redaction].map((reply) => sent(reply).eventId);
    expect(world.seen).to.deep.equal([eventId, ...ids]);
    expect(await Promise.all(ids.map(isSigned))).to.deep.equal([true, true, true]);
    expect((await world.find({ eventId }))?.redactedBy?.eventId).to.equal(ids[2]);
    expect(await world.standing('m.room.topic')).to.equal(ids[0]);
  });

  it('come to nothing when it refuses, and the client hears why', async () => {
    await world.enable();
    const before = await world.extremities();
    world.answer = () => refuses(400, 'M_FORBIDDEN');
    const reply = await say('spam');
    expect(reply).to.include({ errcode: 'M_FORBIDDEN', error: 'looks like spam', status: 400 });
    expect(await world.extremities()).to.deep.equal(before);
    world.answer = (pdu) => world.recommend(pdu);
    expect(await isSigned(sent(await say('no spam')).eventId)).to.equal(true);
  });

  it('that it refuses do not tell a client anything of its session, and how long to wait', async () => {
    await world.enable();
    world.answer = () => refuses(401, 'M_UNKNOWN_TOKEN');
    expect(await say('one')).to.include({ errcode: 'M_FORBIDDEN', status: 403 });
    world.answer = () => refuses(403, 'M_USER_LOCKED');
    expect(await say('locked')).to.include({ errcode: 'M_FORBIDDEN', status: 403 });
    world.answer = () => refuses(401, 'M_FORBIDDEN');
    expect(await say('without a token')).to.include({ errcode: 'M_FORBIDDEN', status: 403 });
    world.answer = () => refuses(429, 'M_LIMIT_EXCEEDED', { retry_after_ms: 1_234 });
    expect(await say('two')).to.deep.include({ status: 429, extra: { retry_after_ms: 1_234 } });
    world.answer = () => ({ kind: 'answered', body: {} });
    expect(refused(await say('three'))).to.equal('M_FORBIDDEN');
  });

  it('come to nothing while it does not answer, and the room can take it out of use', async () => {
    await world.enable();
    world.answer = () => ({ kind: 'unreachable', reason: 'timed out', retryTs: null });
    const reply = await say('hello');
    expect(reply).to.include({ errcode: 'M_UNKNOWN', status: 502 });
    expect((reply as Refusal).error)
      .to.contain(OTHER)
      .and.contain('m.room.policy');
    await world.enable({});
    const asked = world.seen.length;
    sent(await say('free again'));
    expect(world.seen).to.have.length(asked);
  });

  it('come to nothing when it signs with another key than the room names', async () => {
    await world.enable();
    world.answer = (pdu) => world.recommend(pdu, OTHER_KEY);
    expect(await say('hello')).to.include({ errcode: 'M_UNKNOWN', status: 502 });
  });

  it('wait for each other, and nobody else waits for them', async () => {
    await world.enable();
    const elsewhere = await makeRoom(world.house);
    const release = holdBack();
    const first = say('first', 'a');
    await untilAsked(1);
    const repeated = say('first', 'a');
    const second = say('second');
    await world.foreign.adopt(world.house, (await world.extremities())[0] ?? '');
    const dave = world.foreign.add(message(DAVE, 'meanwhile'));
    expect(await world.give(dave)).to.include({ kind: 'accepted' });
    sent(await sendMessage(world.house, elsewhere, ALICE, 'elsewhere'));
    expect(world.seen).to.have.length(1);
    release();
    const [one, again, two] = (await Promise.all([first, repeated, second])).map(sent);
    expect(again).to.deep.equal(one);
    expect(two?.position).to.be.greaterThan(one?.position ?? Infinity);
    expect(world.seen).to.deep.equal([one?.eventId, two?.eventId]);
    // The first stands beside what came meanwhile, and the second follows both.
    const pdu = JSON.parse((await world.find({ eventId: two?.eventId ?? '' }))?.pdu ?? '{}') as Pdu;
    expect(pdu.prev_events).to.have.members([one?.eventId, dave.eventId]);
    expect(await world.extremities()).to.deep.equal([two?.eventId]);
    expect(await say('first', 'a')).to.deep.equal(one);
    const queued = world.told('federation.queue-event').map((told) => told['eventId']);
    expect(queued).to.include.members([one?.eventId, two?.eventId]);
  });

  it('that take it out of use do not wait for those that wait for it', async () => {
    await world.enable();
    const release = holdBack();
    const first = say('first');
    await untilAsked(1);
    await world.enable({});
    release();
    // It was asked for when it was to be.
    expect(await isSigned(sent(await first).eventId)).to.equal(true);
  });

  it('are too many, or wait too long, at some point', async () => {
    await world.enable();
    const release = holdBack();
    const first = say('first');
    await untilAsked(1);
    const others = Array.from({ length: 102 }, (_, index) => say(`${index}`));
    expect(refused(await (others.at(-1) as Promise<Sent | Refusal>))).to.equal('M_LIMIT_EXCEEDED');
    world.house.time.nowMs += 20_001;
    release();
    sent(await first);
    expect(await others[0]).to.include({ errcode: 'M_UNKNOWN', status: 504 });
    expect(world.seen).to.have.length(1);
    await Promise.all(others);
  });

  it('with which this server leaves are signed, too', async () => {
    await world.enable();
    sent(await change(world.house, world.roomId, 'leave', BOB));
    hasLeft = true;
    const { eventId } = sent(await change(world.house, world.roomId, 'leave', ALICE));
    expect(await isSigned(eventId)).to.equal(true);
  });

  it('are replaced rooms’ last ones, too: the upgrade is refused with what it says', async () => {
    await world.enable();
    const upgrade = { roomId: world.roomId, sender: ALICE, roomVersion: '12', additionalCreators: [] };
    world.answer = () => refuses(400, 'M_FORBIDDEN');
    expect(refused(await world.house.rooms.ask('rooms.upgrade-room', upgrade))).to.equal('M_FORBIDDEN');
    world.answer = (pdu) => world.recommend(pdu);
    expect(await world.house.rooms.ask('rooms.upgrade-room', upgrade)).to.include({ kind: 'upgraded' });
    expect(await isSigned((await world.standing('m.room.tombstone')) ?? '')).to.equal(true);
  });

  it('are nobody’s to ask about where none is named, or it is not in the room, or it is this server', async () => {
    sent(await say('none'));
    await world.enable({ via: OTHER });
    sent(await say('no key'));
    await world.enable({ via: 'third.example', public_keys: { ed25519: POLICY.publicKey } });
    sent(await say('not in the room'));
    await world.enable({ via: 'example.com', public_keys: { ed25519: POLICY.publicKey } });
    sent(await say('this server'));
    await world.enable();
    sent(await change(world.house, world.roomId, 'kick', ALICE, DAVE));
    const asked = world.seen.length;
    sent(await say('left the room'));
    expect([asked, world.seen.length]).to.deep.equal([1, 1]);
  });

  it('are asked about where an older client has named it, until the newer event says something else', async () => {
    await world.enable({ via: OTHER, public_key: POLICY.publicKey }, 'org.matrix.msc4284.policy');
    expect(await isSigned(sent(await say('one')).eventId)).to.equal(true);
    await world.enable({});
    sent(await say('two'));
    expect(world.seen).to.have.length(1);
  });
});
