import { expect } from 'chai';
import {
  TRANSACTIONS_PER_ORIGIN_MAX,
  UNDECIDED_TRIES_MAX,
} from '../../../actors/federation-receiver/receive-transaction.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { DAVE, member, message, topic } from '../rooms/receive-world.ts';
import { ALICE, sendState } from '../rooms/rooms-house.ts';
import { openReceiverWorld, OTHER, type ReceiverWorld, THIRD } from './receiver-world.ts';

describe('a transaction of another server', () => {
  let world: ReceiverWorld;
  beforeEach(async () => {
    world = await openReceiverWorld();
  });
  afterEach(() => world.close());

  const deny = (...patterns: string[]): Promise<unknown> =>
    sendState(world.house, world.roomId, ALICE, {
      type: 'm.room.server_acl',
      stateKey: '',
      content: { allow: ['*'], deny: patterns },
    });

  it('brings its events into their rooms, in whatever order they stand, and asks nothing for it', async () => {
    const [one, two, three] = ['1', '2', '3'].map((body) => world.foreign.add(message(DAVE, body)));
    if (one === undefined || two === undefined || three === undefined) throw new Error('no events');
    const answer = await world.transact([three, one, two]);
    expect(world.outcomes(answer)).to.deep.equal({
      [one.eventId]: null,
      [two.eventId]: null,
      [three.eventId]: null,
    });
    expect(await world.extremities()).to.deep.equal([three.eventId]);
    expect(world.peers.asked).to.deep.equal([]);
  });

  it('is taken once: again, at the same time and after a restart, it gets the first answer', async () => {
    const event = world.foreign.add(message(DAVE, 'once'));
    const broken = { ...(event.pdu as unknown as JsonObject), signatures: {} };
    const [first, meanwhile] = await Promise.all([
      world.transact([event], { txnId: 'again' }),
      world.transact([broken], { txnId: 'again' }),
    ]);
    expect(meanwhile).to.deep.equal(first);
    expect(await world.transact([broken], { txnId: 'again' })).to.deep.equal(first);
    const refused = await world.transact([event, broken], { txnId: 'refused' });
    await world.house.restart('federation-receiver');
    expect(await world.transact([event], { txnId: 'again' }), 'its events are known').to.deep.equal(first);
    expect(await world.transact([event], { txnId: 'refused' }), 'it is stored').to.deep.equal(refused);
    // Ids are each server's own.
    const other = await world.transact([broken], { txnId: 'again', origin: THIRD });
    expect(Object.values(world.outcomes(other))).to.deep.equal([`${OTHER} has not signed it`]);
  });

  it('is not harmed by what is broken in it', async () => {
    const good = world.foreign.add(message(DAVE, 'good'));
    const raw = good.pdu as unknown as JsonObject;
    const bad = world.foreign.build(message(DAVE, 'bad'));
    const forged = { ...(bad.pdu as unknown as JsonObject), depth: 99 };
    const elsewhere = { ...raw, room_id: '!nowhere:other.example' };
    const answer = await world.transact([
      { room_id: world.roomId },
      { nothing: true },
      elsewhere,
      { ...raw, prev_events: 'none' },
      forged,
      good,
    ]);
    const outcomes = world.outcomes(answer);
    expect(outcomes[good.eventId]).to.equal(null);
    expect(Object.values(outcomes)).to.include(`the signature of ${OTHER} is wrong`);
    expect((await world.find(good))?.rejection).to.equal(null);
    expect(await world.find(bad)).to.equal(undefined);
  });

  it('has no answer while this server cannot store its events, and is taken when it comes again', async () => {
    const event = world.foreign.add(message(DAVE, 'to be sent again'));
    const txnId = 'again';
    world.house.storage.fault = 'disk-full';
    expect(await world.transact([event], { txnId })).to.include({ errcode: 'M_UNKNOWN', status: 503 });
    world.house.storage.fault = null;
    const answer = await world.transact([event], { txnId });
    expect(world.outcomes(answer)).to.deep.equal({ [event.eventId]: null });
    expect((await world.find(event))?.streamOrdering).to.be.a('number');
  });

  it('has an answer in the end, though this server cannot store an event: what is behind it must not wait for good', async () => {
    const event = world.foreign.add(message(DAVE, 'never stored'));
    world.house.storage.fault = 'disk-full';
    const statuses: (number | string)[] = [];
    for (let time = 0; time < UNDECIDED_TRIES_MAX; time += 1) {
      const answer = await world.transact([event], { txnId: 'again' });
      statuses.push(answer.kind === 'refused' ? answer.status : answer.kind);
    }
    world.house.storage.fault = null;
    const refusals = statuses.slice(0, -1);
    expect(statuses).to.deep.equal([...refusals.map(() => 503), 'processed']);
  });

  it('says what the rules forbid', async () => {
    const forbidden = world.foreign.add(topic('@mallory:other.example', 'mine'));
    expect(world.outcomes(await world.transact([forbidden]))[forbidden.eventId]).to.be.a('string');
    expect((await world.find(forbidden))?.rejection).to.match(/^rejected/);
  });

  it('is not looked at for rooms that shut its server out, and is for others', async () => {
    const event = world.foreign.add(message(DAVE, 'denied'));
    await deny('OTHER.*');
    const typing = { edu_type: 'm.typing', content: { room_id: world.roomId, user_id: DAVE, typing: true } };
    const answer = await world.transact([event], { edus: [typing] });
    expect(world.outcomes(answer)[event.eventId]).to.match(/does not let other\.example/);
    expect(await world.find(event)).to.equal(undefined);
    await world.house.idle();
    expect(world.told('typing.receive-remote')).to.deep.equal([]);
    // Another server may bring the very same event: the list is about who speaks to us.
    const relayed = await world.transact([event], { origin: THIRD });
    expect(world.outcomes(relayed)[event.eventId]).to.equal(null);
  });

  it('waits behind its server’s own ones only, and not more than a few of them', async () => {
    const gap = world.foreign.add(message(DAVE, 'withheld'));
    const late = world.foreign.add(message(DAVE, 'late'));
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    world.peers.delay = ({ destination }) => (destination === OTHER ? opened : Promise.resolve());
    const slow = world.transact([late]);
    const waiting = Array.from({ length: TRANSACTIONS_PER_ORIGIN_MAX - 1 }, () => world.transact([]));
    const refused = await world.transact([]);
    expect(refused).to.include({ kind: 'refused', errcode: 'M_LIMIT_EXCEEDED', status: 429 });
    const own = await world.transact([gap], { origin: THIRD });
    expect(world.outcomes(own)[gap.eventId]).to.equal(null);
    open();
    expect(world.outcomes(await slow)[late.eventId]).to.equal(null);
    expect((await Promise.all(waiting)).map(({ kind }) => kind)).to.deep.equal(
      waiting.map(() => 'processed'),
    );
  });

  it('names what cannot be checked, since no key of its signer can be had', async () => {
    const stranger = world.foreign.add(member('@zoe:unknown.example', '@zoe:unknown.example', 'join'));
    const outcome = world.outcomes(await world.transact([stranger]))[stranger.eventId];
    expect(outcome).to.match(/no key of unknown\.example/);
  });
});
