import { expect } from 'chai';
import {
  WAITING_BACKOFF,
  WAITING_KEPT_MS,
  WAITING_PER_ROOM_MAX,
} from '../../../actors/federation-receiver/waiting-events.ts';
import { readWaiting } from '../../../db/federation-receiver/reader.ts';
import { eventually } from '../../support/person.ts';
import type { ForeignEvent } from '../rooms/foreign-events.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { DAVE, ERIN, member, message } from '../rooms/receive-world.ts';
import { openReceiverWorld, OTHER, type ReceiverWorld, THIRD } from './receiver-world.ts';

const QUESTIONS = ['get_missing_events', 'state_ids'];

describe('events whose place is not known', () => {
  let world: ReceiverWorld;
  let hidden: ForeignEvent;
  let last: ForeignEvent;

  beforeEach(async () => {
    world = await openReceiverWorld();
    hidden = world.foreign.add(message(DAVE, 'hidden'));
    last = world.foreign.add(message(DAVE, 'last'));
    for (const what of QUESTIONS) world.peers.silent.add(what);
  });
  afterEach(() => world.close());

  const waiting = async (): Promise<readonly string[]> =>
    (await readWaiting(world.house.database.db, '', 1_000)).map(({ eventId }) => eventId);
  const settled = (): Promise<unknown> =>
    eventually('nothing to wait', async () => (await waiting()).length === 0);
  /** Later than the next try. */
  const letTimePass = (lengthMs: number): void => void (world.house.time.nowMs += lengthMs);

  async function keepLast(): Promise<void> {
    expect(world.outcomes(await world.transact([last]))).to.deep.equal({ [last.eventId]: null });
    expect(await waiting()).to.deep.equal([last.eventId]);
    expect(await world.find(last)).to.equal(undefined);
  }

  it('are taken, and kept until what comes before them can be had of who sent them', async () => {
    await keepLast();
    world.peers.silent.clear();
    // It calls again, with nothing.
    await world.transact([]);
    await settled();
    for (const event of [hidden, last]) expect((await world.find(event))?.streamOrdering).to.be.a('number');
    expect(await world.extremities()).to.deep.equal([last.eventId]);
  });

  it('are kept over a restart, and then looked at without anybody calling', async () => {
    await keepLast();
    world.peers.silent.clear();
    await world.house.restart('federation-receiver');
    await settled();
    expect(await world.extremities()).to.deep.equal([last.eventId]);
  });

  it('are asked of other servers of the room when who sent them does not help twice', async () => {
    await world.giveAll(world.dave);
    const erin = world.foreign.add({ ...member(ERIN, ERIN, 'join'), prev: [world.dave.eventId] });
    await world.giveAll(erin);
    await keepLast();
    const asked = world.peers.asked.length;
    await world.transact([]);
    await eventually('it to be asked again', () => world.peers.asked.length > asked);
    expect(world.peers.asked.every((question) => question.startsWith(OTHER))).to.equal(true);
    letTimePass(WAITING_BACKOFF.initialMs);
    world.peers.silent.clear();
    for (const what of QUESTIONS) world.peers.silent.add(`${OTHER} ${what}`);
    await settled();
    expect(world.peers.asked.at(-1)).to.match(new RegExp(`^${THIRD} `));
    expect((await world.find(last))?.streamOrdering).to.be.a('number');
  });

  it('are let go after a week', async () => {
    await keepLast();
    letTimePass(WAITING_KEPT_MS + 1);
    await world.transact([]);
    await settled();
    expect(await world.find(last)).to.equal(undefined);
  });

  it('are kept as many for a room and a server as there may be, the newest', async () => {
    const more = Array.from({ length: WAITING_PER_ROOM_MAX + 2 }, () => {
      const event = world.foreign.add(message(DAVE, 'more'));
      world.peers.withheld.add(event.eventId);
      return event;
    });
    const [first, ...others] = more as [ForeignEvent, ...ForeignEvent[]];
    await world.transact([first]);
    letTimePass(1);
    const answer = await world.transact(others);
    expect(Object.values(world.outcomes(answer)).every((error) => error === null)).to.equal(true);
    const kept = await waiting();
    expect(kept).to.have.length(WAITING_PER_ROOM_MAX);
    expect(kept).to.include(more.at(-1)?.eventId).and.not.include(first.eventId);
  });

  it('as their room is just being joined wait for that, and their server for its answer', async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    world.joins = promise;
    let isAnswered = false;
    const elsewhere = { ...last.pdu, room_id: '!joined-now:other.example' } as unknown as JsonObject;
    const answer = world.transact([elsewhere]).then((answered) => {
      isAnswered = true;
      return answered;
    });
    // Of rooms that it is in it asks nobody.
    world.peers.silent.clear();
    expect(world.outcomes(await world.transact([last], { origin: THIRD }))).to.deep.equal({
      [last.eventId]: null,
    });
    expect(isAnswered).to.equal(false);
    resolve(true);
    expect(await answer).to.include({ kind: 'processed' });
  });
});
