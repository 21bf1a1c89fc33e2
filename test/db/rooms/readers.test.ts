import { expect } from 'chai';
import { findEvent, readEvents } from '../../../db/rooms/event-reader.ts';
import { readHostsOfRoom } from '../../../db/rooms/hosts-reader.ts';
import { countMembers, readHeroes, readJoinedUserIds, readMembers } from '../../../db/rooms/member-reader.ts';
import { readJoinedLocalUserIds } from '../../../db/rooms/membership-reader.ts';
import { findAlias, findRoom, readRoomAliases } from '../../../db/rooms/room-reader.ts';
import { findStateGroupAt, findStateOfGroup, readStateAt } from '../../../db/rooms/state-reader.ts';
import { readEventRows } from '../../../db/rooms/stream-reader.ts';
import {
  countTimelineEvents,
  findTopologicalPlace,
  readLatestPositions,
  readLatestTimeline,
  readTimelineBackward,
  readTimelineForward,
  ROOM_END,
  ROOM_START,
} from '../../../db/rooms/timeline-reader.ts';
import type { StateGroupWrite } from '../../../db/rooms/state-group-writer.ts';
import { type EventWrite, storeEvent, storeRoom } from '../../../db/rooms/writer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const CREATOR = '@creator:example.com';

interface Given {
  readonly roomNid?: number;
  readonly type?: string;
  readonly stateKey?: string;
  readonly membership?: string;
  readonly depth?: number;
  readonly follows?: readonly string[];
}

/** An event without a state group of its own, unless it is state. */
function eventWrite(eventId: string, given: Given = {}): EventWrite {
  const { roomNid = 1, type = 'm.room.message', stateKey, membership, depth = 1, follows = [] } = given;
  const content = membership === undefined ? {} : { membership };
  return {
    roomNid,
    eventId,
    depth,
    originServerTs: depth,
    pdu: JSON.stringify({ type, sender: CREATOR, content }),
    state: stateKey === undefined ? null : { type, stateKey, membership: membership ?? null },
    stateGroup: null,
    follows,
    localMembership: null,
    redacts: null,
    transaction: null,
  };
}

const newGroup = (
  stateGroup: number,
  parent: number | null,
  eventId: string,
  type: string,
): StateGroupWrite => ({
  kind: 'new',
  stateGroup,
  parent,
  changes: [{ type, stateKey: '', eventId }],
  isCheckpoint: false,
});

describe('readers of rooms', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.close());

  const write = async (
    events: readonly EventWrite[],
    direction: 'forward' | 'backward' = 'forward',
  ): Promise<number> => {
    const outcome = await database.write.write({
      owner: 'rooms',
      advance: { stream: 'events', count: events.length, direction },
      steps: events.flatMap((event, index) => storeEvent(event, index)),
    });
    if (outcome.kind !== 'committed' || outcome.position === null) throw new Error(JSON.stringify(outcome));
    return outcome.position;
  };
  const makeRoom = async (roomNid: number, events: readonly EventWrite[]): Promise<void> => {
    const room = { roomNid, roomId: `!r${roomNid}:example.com`, roomVersion: '11', creator: CREATOR };
    const outcome = await database.write.write({
      owner: 'rooms',
      advance: { stream: 'events', count: events.length },
      steps: storeRoom({ ...room, isPublic: roomNid === 1, alias: `#r${roomNid}:example.com`, events }),
    });
    expect(outcome.kind).to.equal('committed');
  };
  const idsOf = (events: readonly { readonly eventId: string }[]): string[] =>
    events.map(({ eventId }) => eventId);

  it('find rooms and aliases', async () => {
    await makeRoom(1, [eventWrite('$a')]);
    const { db } = database;
    expect(await findRoom(db, '!r1:example.com')).to.deep.equal({
      roomNid: 1,
      roomId: '!r1:example.com',
      roomVersion: '11',
      creator: CREATOR,
      isPublic: true,
      resolvedStateGroup: null,
    });
    expect(await findRoom(db, '!r2:example.com')).to.equal(undefined);
    const alias = { alias: '#r1:example.com', roomId: '!r1:example.com', creator: CREATOR };
    expect(await findAlias(db, '#r1:example.com')).to.deep.equal(alias);
    expect(await findAlias(db, '#r2:example.com')).to.equal(undefined);
    expect(await readRoomAliases(db, '!r1:example.com')).to.deep.equal([alias]);
  });

  it('read events by their ids', async () => {
    await makeRoom(1, [eventWrite('$a'), eventWrite('$b', { type: 'm.room.topic', stateKey: '' })]);
    const events = await readEvents(database.db, ['$b', '$a', '$c']);
    expect([...events.keys()].toSorted()).to.deep.equal(['$a', '$b']);
    expect(events.get('$b')).to.deep.equal(await findEvent(database.db, '$b'));
    expect(events.get('$b')).to.include({
      type: 'm.room.topic',
      stateKey: '',
      streamOrdering: 2,
      sender: CREATOR,
    });
    expect((await readEvents(database.db, [])).size).to.equal(0);
  });

  it('read a timeline by position, and say whether there is more', async () => {
    await makeRoom(1, [eventWrite('$1')]);
    await makeRoom(2, [eventWrite('$other', { roomNid: 2 })]);
    await write(['$2', '$3', '$4'].map((eventId) => eventWrite(eventId)));
    const { db } = database;
    const roomId = '!r1:example.com';
    const page = await readLatestTimeline(db, roomId, 0, 5, 3);
    expect(idsOf(page.events)).to.deep.equal(['$4', '$3', '$2']);
    expect(page.hasMore).to.equal(true);
    const rest = await readLatestTimeline(db, roomId, 1, 4, 3);
    expect(idsOf(rest.events)).to.deep.equal(['$3', '$2']);
    expect(rest.hasMore).to.equal(false);
    expect([...(await countTimelineEvents(db, 0, 5))]).to.have.deep.members([
      [roomId, 4],
      ['!r2:example.com', 1],
    ]);
    const rooms = [roomId, '!r2:example.com', '!r3:example.com'];
    expect([...(await readLatestPositions(db, rooms, 4))]).to.have.deep.members([
      [roomId, 4],
      ['!r2:example.com', 2],
    ]);
  });

  it('read a timeline by depth in both directions, without a gap or a double', async () => {
    const depths = [1, 2, 3, 3, 4, 5];
    await makeRoom(
      1,
      depths.map((depth, index) => eventWrite(`$${index + 1}`, { depth })),
    );
    // History that came later: it stands before everything that is deeper.
    await write([eventWrite('$old2', { depth: 2 }), eventWrite('$old1', { depth: 1 })], 'backward');
    const { db } = database;
    const roomId = '!r1:example.com';
    const expected = ['$old1', '$1', '$old2', '$2', '$3', '$4', '$5', '$6'];
    const forward: string[] = [];
    for (let place = ROOM_START, hasMore = true; hasMore;) {
      const page = await readTimelineForward(db, roomId, place, ROOM_END, 3);
      forward.push(...idsOf(page.events));
      const last = page.events.at(-1);
      place = { depth: last?.depth ?? 0, streamOrdering: last?.streamOrdering ?? 0 };
      hasMore = page.hasMore;
    }
    expect(forward).to.deep.equal(expected);
    const place = await findTopologicalPlace(db, roomId, 5);
    expect(place).to.deep.equal({ depth: 4, streamOrdering: 5 });
    const back = await readTimelineBackward(
      db,
      roomId,
      place ?? ROOM_END,
      { depth: 2, streamOrdering: 2 },
      10,
    );
    expect(idsOf(back.events)).to.deep.equal(['$5', '$4', '$3']);
    const all = await readTimelineBackward(db, roomId, ROOM_END, ROOM_START, 10);
    expect(idsOf(all.events)).to.deep.equal(expected.toReversed());
  });

  it('1.8 keep history at negative positions out of the stream, its token where it was', async () => {
    await makeRoom(1, [eventWrite('$now')]);
    const position = await write([eventWrite('$old'), eventWrite('$older')], 'backward');
    expect(position).to.equal(-1);
    expect(database.write.position('events')).to.equal(1);
    expect((await findEvent(database.db, '$older'))?.streamOrdering).to.equal(-2);
    const rows = await readEventRows(database.db, 0, 100, 100);
    expect(rows.rows.map(({ row }) => row.kind !== 'room' && row.eventId)).to.deep.equal(['$now']);
    expect(
      idsOf((await readLatestTimeline(database.db, '!r1:example.com', 0, 100, 10)).events),
    ).to.deep.equal(['$now']);
  });

  it('read members, their counts, hosts and heroes', async () => {
    const member = (userId: string, membership: string): EventWrite =>
      eventWrite(`$${userId}`, { type: 'm.room.member', stateKey: userId, membership });
    await makeRoom(1, [
      member('@z:example.com', 'join'),
      member('@left:example.com', 'leave'),
      member('@y:badexample.com', 'join'),
      member('@invited:example.com:8448', 'invite'),
      ...['a', 'b', 'c', 'd'].map((name) => member(`@${name}:example.com`, 'join')),
    ]);
    const { db } = database;
    const roomId = '!r1:example.com';
    expect(await countMembers(db, roomId)).to.deep.equal({ joined: 6, invited: 1 });
    expect(await countMembers(db, '!none:example.com')).to.deep.equal({ joined: 0, invited: 0 });
    expect(await readHostsOfRoom(db, roomId)).to.deep.equal(['badexample.com', 'example.com']);
    expect(await readJoinedUserIds(db, roomId)).to.have.length(6);
    expect(await readMembers(db, roomId, 'leave')).to.deep.equal([
      { userId: '@left:example.com', membership: 'leave', eventId: '$@left:example.com' },
    ]);
    expect(await readMembers(db, roomId, null)).to.have.length(8);
    const heroes = await readHeroes(db, roomId, '@z:example.com');
    expect(heroes.map(({ userId }) => userId)).to.deep.equal([
      '@y:badexample.com',
      '@invited:example.com:8448',
      '@a:example.com',
      '@b:example.com',
      '@c:example.com',
    ]);
    expect(await readJoinedLocalUserIds(db, roomId)).to.deep.equal([]);
  });

  it('name former members as heroes where nobody else is left', async () => {
    const member = (userId: string, membership: string): EventWrite =>
      eventWrite(`$${userId}`, { type: 'm.room.member', stateKey: userId, membership });
    await makeRoom(1, [
      member('@me:example.com', 'join'),
      member('@left:example.com', 'leave'),
      member('@banned:example.com', 'ban'),
    ]);
    const heroes = await readHeroes(database.db, '!r1:example.com', '@me:example.com');
    expect(heroes.map(({ userId }) => userId)).to.deep.equal(['@left:example.com', '@banned:example.com']);
  });

  it('read single entries of a state, and none before the first event', async () => {
    await makeRoom(1, [
      {
        ...eventWrite('$create', { type: 'm.room.create', stateKey: '' }),
        stateGroup: newGroup(1, null, '$create', 'm.room.create'),
      },
      {
        ...eventWrite('$name', { type: 'm.room.name', stateKey: '' }),
        stateGroup: newGroup(2, 1, '$name', 'm.room.name'),
      },
      {
        ...eventWrite('$again', { type: 'm.room.name', stateKey: '' }),
        stateGroup: newGroup(3, 2, '$again', 'm.room.name'),
      },
    ]);
    const { db } = database;
    const roomId = '!r1:example.com';
    expect(await findStateGroupAt(db, roomId, 2)).to.equal(2);
    expect(await findStateGroupAt(db, roomId, 0)).to.equal(undefined);
    expect(await findStateOfGroup(db, 2, 'm.room.name', '')).to.equal('$name');
    expect(await findStateOfGroup(db, 3, 'm.room.name', '')).to.equal('$again');
    expect(await findStateOfGroup(db, 3, 'm.room.create', '')).to.equal('$create');
    expect(await findStateOfGroup(db, 1, 'm.room.name', '')).to.equal(undefined);
    expect(await readStateAt(db, roomId, 0)).to.deep.equal([]);
  });

  it('refuse a write that does not follow the newest event', async () => {
    await makeRoom(1, [eventWrite('$1')]);
    const attempt = (eventId: string, follows: readonly string[]) =>
      database.write.write({
        owner: 'rooms',
        advance: { stream: 'events', count: 1 },
        steps: storeEvent(eventWrite(eventId, { follows }), 0),
      });
    expect((await attempt('$2', ['$1'])).kind).to.equal('committed');
    expect(await attempt('$3', ['$1'])).to.include({ kind: 'refused', refusal: 'not-the-newest-event' });
    expect(await attempt('$4', ['$unknown'])).to.include({
      kind: 'refused',
      refusal: 'not-the-newest-event',
    });
    expect(await findEvent(database.db, '$3')).to.equal(undefined);
  });
});
