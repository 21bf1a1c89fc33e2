import { expect } from 'chai';
import { findCurrentStateEvent, findStateOfGroup } from '../../../db/rooms/state-reader.ts';
import { readTimelineBackward, ROOM_END, ROOM_START } from '../../../db/rooms/timeline-reader.ts';
import { visibleToServer } from '../../../src/federation/visible-to-server.ts';
import { emptySyncFilter } from '../../../src/matrix/sync-filter-parse.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { fetchHistory } from '../../../src/http/client/rooms/fetch-history.ts';
import { standingOfMember } from '../../../src/sync/visibility.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { stateName } from '../../../src/matrix/state-resolution/state-map.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { type ForeignEvent, type ForeignRoom, openForeignRoom } from '../rooms/foreign-events.ts';
import { DAVE, ERIN, member, message, topic } from '../rooms/receive-world.ts';
import { ALICE } from '../rooms/rooms-house.ts';
import { openReceiverWorld, OTHER, type ReceiverWorld } from './receiver-world.ts';

const ROOM = '!elsewhere:other.example';

describe('the history of a room that was joined through another server', () => {
  let world: ReceiverWorld;
  let room: ForeignRoom;
  beforeEach(async () => {
    world = await openReceiverWorld();
    room = openForeignRoom(ROOM, '11');
    const state = (type: string, content: JsonObject): unknown =>
      room.add({ sender: DAVE, type, stateKey: '', content });
    state('m.room.create', { room_version: '11' });
    room.add(member(DAVE, DAVE, 'join'));
    state('m.room.power_levels', { users: { [DAVE]: 100 } });
    state('m.room.join_rules', { join_rule: 'public' });
    world.peers.room = room;
  });
  afterEach(() => world.close());

  /** Alice joins with the state that the room has now. */
  const join = async (): Promise<ForeignEvent> => {
    const event = room.add(member(ALICE, ALICE, 'join'));
    const received = (eventId: string) => ({ eventId, pdu: room.get(eventId).json });
    const state = [...event.stateBefore.values()].map((id) => received(id));
    const reply = await world.house.rooms.ask('rooms.accept-join', {
      roomId: ROOM,
      roomVersion: '11',
      event: received(event.eventId),
      state,
      authChain: state,
      receivedFrom: OTHER,
      partial: null,
    });
    if (reply.kind !== 'sent') throw new Error(reply.error);
    await world.house.idle();
    return event;
  };
  const backfill = (limit = 100) => world.ask('federation-receiver.backfill', { roomId: ROOM, limit });
  /** The ids of the timeline, the newest first. */
  const timeline = async (): Promise<readonly string[]> => {
    const page = await readTimelineBackward(world.house.database.db, ROOM, ROOM_END, ROOM_START, 500);
    return page.events.map(({ eventId }) => eventId);
  };
  const say = (...bodies: readonly string[]): readonly ForeignEvent[] =>
    bodies.map((body) => room.add(message(DAVE, body)));

  it('1.8 comes into the past of the timeline, a piece at a time, and nobody is told', async () => {
    say('1', '2', '3', '4', '5');
    await join();
    const before = { rows: world.house.rows.length, positions: new Set(world.house.rows) };
    expect(await timeline()).to.have.length(1);
    expect(await backfill(3)).to.deep.equal({ kind: 'filled', events: 3, isAll: false });
    expect(await backfill(100)).to.deep.equal({ kind: 'filled', events: 6, isAll: false });
    expect(await backfill()).to.deep.equal({ kind: 'filled', events: 0, isAll: true });
    expect(await timeline()).to.deep.equal([...room.events.keys()].toReversed());
    await world.house.idle();
    expect(world.house.rows).to.have.length(before.rows);
    const found = await Promise.all([...room.events.values()].map((event) => world.find(event)));
    const places = found.map((event) => event?.streamOrdering ?? 0);
    expect(places.slice(0, -1).every((place) => place < 0)).to.equal(true);
    expect(places).to.deep.equal(places.toSorted((left, right) => left - right));
  });

  it('has the state of its time also where it follows what is known outside of the timeline alone', async () => {
    say('1', '2');
    const last = room.add(topic(DAVE, 'part of the state that the join came with'));
    const [after] = say('after it') as [ForeignEvent];
    await join();
    expect(await world.find(last)).to.include({ streamOrdering: null, stateGroup: null });
    expect(await backfill(1)).to.deep.equal({ kind: 'filled', events: 1, isAll: false });
    expect(world.peers.asked).to.include(`${OTHER} state_ids`);
    const stored = await world.find(after);
    expect(stored?.streamOrdering).to.be.lessThan(0);
    const { db } = world.house.database;
    expect(await findStateOfGroup(db, stored?.stateGroup ?? 0, 'm.room.topic', '')).to.equal(last.eventId);
  });

  it('has the state of its time, and changes nothing of the present', async () => {
    const old = room.add(topic(DAVE, 'old'));
    const [between] = say('between') as [ForeignEvent];
    const now = room.add(topic(DAVE, 'new'));
    await join();
    await backfill();
    const sight = { db: world.house.database.db, cached: world.house.caches };
    const stored = await world.find(between);
    if (stored === undefined) throw new Error('it is not there');
    expect(await visibleToServer(sight, OTHER, [stored])).to.have.length(1);
    const topicAt = await findStateOfGroup(sight.db, stored.stateGroup ?? 0, 'm.room.topic', '');
    expect(topicAt).to.equal(old.eventId);
    const current = await findCurrentStateEvent(sight.db, ROOM, 'm.room.topic', '');
    expect(current?.eventId).to.equal(now.eventId);
    expect(between.stateAfter.get(stateName('m.room.topic', ''))).to.equal(old.eventId);
  });

  it('holds what the rules forbade then back, and applies redactions of then', async () => {
    const [regretted] = say('regretted') as [ForeignEvent];
    room.add({ sender: DAVE, type: 'm.room.redaction', content: { redacts: regretted.eventId } });
    const forbidden = room.add(topic(ERIN, 'not mine'));
    say('after');
    await join();
    await backfill();
    expect(await world.find(regretted))
      .to.have.property('redactedBy')
      .that.is.not.equal(null);
    expect(await timeline()).to.not.include(forbidden.eventId);
  });

  it('redacts what comes with an older piece than its redaction', async () => {
    const [regretted] = say('regretted') as [ForeignEvent];
    say('between');
    const redaction = room.add({
      sender: DAVE,
      type: 'm.room.redaction',
      content: { redacts: regretted.eventId },
    });
    await join();
    await backfill(2);
    expect(await timeline()).to.include(redaction.eventId);
    const rows = world.house.rows.length;
    await backfill();
    await world.house.idle();
    expect(await world.find(regretted))
      .to.have.property('redactedBy')
      .that.is.not.equal(null);
    expect(world.house.rows).to.have.length(rows);
  });

  it('follows branches, and resolves where they meet', async () => {
    const [root] = say('root') as [ForeignEvent];
    const left = room.add({ ...topic(DAVE, 'left'), prev: [root.eventId] });
    const right = room.add({ ...message(DAVE, 'right'), prev: [root.eventId] });
    const met = room.add({ ...message(DAVE, 'met'), prev: [left.eventId, right.eventId] });
    await join();
    expect(await backfill()).to.include({ events: room.events.size - 1 });
    const stored = await world.find(met);
    const { db } = world.house.database;
    expect(await findStateOfGroup(db, stored?.stateGroup ?? 0, 'm.room.topic', '')).to.equal(left.eventId);
  });

  it('has a hole where events are withheld, and is not asked for in a room that this server is not in', async () => {
    say('1');
    const [hidden] = say('hidden') as [ForeignEvent];
    say('2');
    await join();
    world.peers.withheld.add(hidden.eventId);
    expect(await backfill()).to.include({ events: 1 });
    expect(await backfill()).to.deep.equal({ kind: 'filled', events: 0, isAll: false });
    world.peers.withheld.clear();
    // Nobody is asked again at once.
    expect(await backfill()).to.deep.equal({ kind: 'filled', events: 0, isAll: false });
    await world.house.restart('federation-receiver');
    expect(await backfill()).to.include({ events: room.events.size - 2 });
    const elsewhere = { roomId: '!no:other.example', limit: 5 };
    expect(await world.ask('federation-receiver.backfill', elsewhere)).to.include({ errcode: 'M_NOT_FOUND' });
  });

  it('gives a single event its place and its state, and is still to be had around it', async () => {
    const old = room.add(topic(DAVE, 'old'));
    const [, wanted] = say('1', '2', '3') as [ForeignEvent, ForeignEvent, ForeignEvent];
    room.add(topic(DAVE, 'new'));
    const own = await join();
    const question = { roomId: ROOM, eventId: wanted.eventId, via: [OTHER] };
    expect(await world.ask('federation-receiver.fetch-event', question)).to.deep.equal({ kind: 'fetched' });
    expect(await timeline()).to.deep.equal([own.eventId, wanted.eventId]);
    const { db } = world.house.database;
    const stored = await world.find(wanted);
    expect(await findStateOfGroup(db, stored?.stateGroup ?? 0, 'm.room.topic', '')).to.equal(old.eventId);
    const asked = world.peers.asked.length;
    await world.ask('federation-receiver.fetch-event', question);
    expect(world.peers.asked).to.have.length(asked);
    await backfill();
    expect(await timeline()).to.have.members([...room.events.keys()]);
  });

  it('is fetched once for all who ask at the same time', async () => {
    say('1', '2');
    await join();
    const answers = await Promise.all([backfill(), backfill(), backfill()]);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).to.equal(1);
    expect(world.peers.asked.filter((asked) => asked.endsWith('backfill'))).to.have.length(1);
  });

  describe('as its users page through it', () => {
    const page = async (limit: number, from = ROOM_END) => {
      const { db } = world.house.database;
      const services = {
        db,
        cached: world.house.caches,
        clock: systemClock,
        'federation-receiver': world.house.ref('federation-receiver'),
      };
      const history = await fetchHistory(services as unknown as Parameters<typeof fetchHistory>[0], {
        standing: standingOfMember(ALICE, ROOM, 0, Number.MAX_SAFE_INTEGER),
        direction: 'backward',
        from,
        until: ROOM_START,
        limit,
        filter: emptySyncFilter().room.timeline,
      });
      return { bodies: history.items.map(({ event }) => event.content['body'] ?? event.type), ...history };
    };

    it('is fetched when they come to the end of what is there', async () => {
      say('1', '2', '3');
      await join();
      const first = await page(3);
      expect(first.bodies).to.deep.equal(['m.room.member', '3', '2']);
      const asked = world.peers.asked.length;
      const second = await page(100, first.next ?? ROOM_END);
      expect(second.bodies.at(0)).to.equal('1');
      expect(second.bodies.at(-1)).to.equal('m.room.create');
      expect(second.next).to.equal(null);
      expect(world.peers.asked, 'all of it came at once').to.have.length(asked);
    });

    it('has a place to go on from when nobody has it now', async () => {
      say('1', '2');
      await join();
      world.peers.silent.add('backfill');
      const first = await page(10);
      expect(first.bodies).to.deep.equal(['m.room.member']);
      expect(first.next).to.not.equal(null);
      // Nothing more comes: whoever asks on is told so, and may come again another day.
      expect(await page(10, first.next ?? ROOM_END)).to.deep.include({ items: [], next: null });
      world.peers.silent.clear();
      await world.house.restart('federation-receiver');
      expect((await page(3, first.next ?? ROOM_END)).bodies).to.deep.equal(['2', '1', 'm.room.join_rules']);
    });

    it('is fetched where it has a gap', async () => {
      await join();
      const [, , last] = say('1', '2', '3') as [ForeignEvent, ForeignEvent, ForeignEvent];
      // As after a long time without each other: the newest event comes, and nobody gives what came before it.
      world.peers.silent.add('get_missing_events');
      const transaction = { origin: OTHER, txnId: 'late', pdus: [last.pdu], edus: [] };
      await world.ask('federation-receiver.receive-transaction', transaction);
      expect((await timeline()).at(0)).to.equal(last.eventId);
      expect((await page(3)).bodies).to.deep.equal(['3', '2', '1']);
      // What was missed is followed by what came before it: the room has one end again.
      const { db } = world.house.database;
      const extremities = await readExtremities(db, (await findRoom(db, ROOM))?.roomNid ?? 0);
      expect(extremities.map(({ eventId }) => eventId)).to.deep.equal([last.eventId]);
    });
  });
});
