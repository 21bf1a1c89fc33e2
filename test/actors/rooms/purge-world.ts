import { expect } from 'chai';
import type { Purged, PurgeRequest } from '../../../actors/rooms/protocol.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { readMembers } from '../../../db/rooms/member-reader.ts';
import { readLocalMemberships } from '../../../db/rooms/membership-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { readCurrentState, readStateAt, readStateOfGroup } from '../../../db/rooms/state-reader.ts';
import { findMemberChangeAt } from '../../../db/rooms/sync-reader.ts';
import {
  readTimelineBackward,
  readTimelineForward,
  ROOM_END,
  ROOM_START,
} from '../../../db/rooms/timeline-reader.ts';
import type { Random } from '../../../src/kit/random.ts';
import { edgeIds, type Pdu } from '../../../src/matrix/events/pdu.ts';
import { checkRoom, entriesOf } from './check-room.ts';
import type { ForeignRoom } from './foreign-events.ts';
import { receive } from './foreign-events.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  REMOTE,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
} from './rooms-house.ts';

/** An event as the database has it. */
export interface EventRow {
  readonly eventNid: number;
  readonly eventId: string;
  readonly depth: number;
  readonly streamOrdering: number | null;
  readonly stateGroup: number | null;
  readonly redactedBy: string | null;
  readonly rejection: string | null;
  readonly sender: string;
  readonly pdu: string;
}

const eventRows = defineQuery<{ readonly roomNid: number }, EventRow>({
  name: 'test.purge-event-rows',
  sql: `
    SELECT e.event_nid AS eventNid, e.event_id AS eventId, e.depth, e.stream_ordering AS streamOrdering,
           e.state_group AS stateGroup, r.event_id AS redactedBy, e.rejection,
           json_extract(e.pdu, '$.sender') AS sender, e.pdu
      FROM events e LEFT JOIN events r ON r.event_nid = e.redacted_by
     WHERE e.room_nid = :roomNid ORDER BY e.event_nid`,
});

const groupRows = defineQuery<
  { readonly roomNid: number },
  { readonly stateGroup: number; readonly parent: number | null }
>({
  name: 'test.purge-group-rows',
  sql: 'SELECT state_group AS stateGroup, parent FROM state_groups WHERE room_nid = :roomNid ORDER BY 1',
});

const resolvedRows = defineQuery<
  { readonly roomNid: number },
  { readonly at: number; readonly stateGroup: number }
>({
  name: 'test.purge-resolved-rows',
  sql: 'SELECT position AS at, state_group AS stateGroup FROM resolved_states WHERE room_nid = :roomNid ORDER BY 1',
});

const strayEntries = defineQuery<Record<string, never>, { readonly count: number }>({
  name: 'test.purge-stray-entries',
  sql: `
    SELECT (SELECT count(*) FROM state_group_entries n
             WHERE NOT EXISTS (SELECT 1 FROM state_groups g WHERE g.state_group = n.state_group))
         + (SELECT count(*) FROM state_group_entries n
             WHERE n.event_nid IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_nid = n.event_nid))
         + (SELECT count(*) FROM state_groups g
             WHERE g.parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM state_groups p WHERE p.state_group = g.parent))
         + (SELECT count(*) FROM current_state c WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.event_nid = c.event_nid))
         + (SELECT count(*) FROM local_memberships m WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.event_nid = m.event_nid))
         + (SELECT count(*) FROM event_transactions t WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.event_nid = t.event_nid))
         + (SELECT count(*) FROM events e WHERE e.state_group IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM state_groups g WHERE g.state_group = e.state_group))
         + (SELECT count(*) FROM resolved_states s
             WHERE NOT EXISTS (SELECT 1 FROM state_groups g WHERE g.state_group = s.state_group))
         + (SELECT count(*) FROM events t WHERE t.redacted_by IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_nid = t.redacted_by)) AS count`,
});

/** Everything that readers say of a room. */
export interface RoomPicture {
  readonly rows: readonly EventRow[];
  /** Event id → the state after it, of those in the timeline. */
  readonly states: ReadonlyMap<string, readonly string[]>;
  readonly backward: readonly string[];
  readonly forward: readonly string[];
  readonly current: readonly string[];
  readonly members: readonly string[];
  readonly memberships: readonly string[];
  readonly groups: readonly { readonly stateGroup: number; readonly parent: number | null }[];
  /** Rows that point at rows that are not there. */
  readonly strays: number;
  readonly resolvedStateGroup: number | null;
  /** States that were current and are that of no event, with the position from which on they were. */
  readonly resolved: readonly {
    readonly at: number;
    readonly stateGroup: number;
    readonly entries: readonly string[];
  }[];
}

const LIMIT = 10_000;

async function roomOf(house: RoomsHouse, roomId: string) {
  const room = await findRoom(house.database.db, roomId);
  if (room === undefined) throw new Error(`there is no room ${roomId}`);
  return room;
}

/**
 * Reads everything that readers say of a room.
 *
 * @param statesOf of how many of the newest events it reads the states
 */
export async function readPicture(
  house: RoomsHouse,
  roomId: string,
  statesOf: number = LIMIT,
): Promise<RoomPicture> {
  const { db } = house.database;
  const { roomNid, resolvedStateGroup } = await roomOf(house, roomId);
  const rows = await db.all(eventRows, { roomNid });
  const states = new Map<string, readonly string[]>();
  for (const { eventId, stateGroup, streamOrdering } of rows.slice(-statesOf))
    if (stateGroup !== null && streamOrdering !== null)
      states.set(eventId, entriesOf(await readStateOfGroup(db, stateGroup)));
  const backward = await readTimelineBackward(db, roomId, ROOM_END, ROOM_START, LIMIT);
  const forward = await readTimelineForward(db, roomId, ROOM_START, ROOM_END, LIMIT);
  return {
    rows,
    states,
    backward: backward.events.map(({ eventId }) => eventId),
    forward: forward.events.map(({ eventId }) => eventId),
    current: entriesOf(await readCurrentState(db, roomId)),
    members: (await readMembers(db, roomId, null)).map(
      (one) => `${one.userId} ${one.membership} ${one.eventId}`,
    ),
    memberships: (await readLocalMemberships(db, roomId)).map((one) => JSON.stringify(one)),
    groups: await db.all(groupRows, { roomNid }),
    strays: (await db.get(strayEntries, {})).count,
    resolvedStateGroup,
    resolved: await Promise.all(
      (await db.all(resolvedRows, { roomNid })).map(async ({ at, stateGroup }) => ({
        at,
        stateGroup,
        entries: entriesOf(await readStateOfGroup(db, stateGroup)),
      })),
    ),
  };
}

/** The membership of every local user after each position from `from` on, as sync asks for it. */
export async function readStandings(
  house: RoomsHouse,
  roomId: string,
  positions: readonly number[],
): Promise<readonly string[]> {
  const { db } = house.database;
  const told: string[] = [];
  for (const at of positions) {
    told.push(`${at}: ${entriesOf(await readStateAt(db, roomId, at)).join('; ')}`);
    for (const userId of [ALICE, BOB, CAROL]) {
      const changed = await findMemberChangeAt(db, userId, roomId, at);
      told.push(`${at} ${userId} ${changed?.membership ?? 'none'} ${changed?.eventId ?? ''}`);
    }
  }
  return told;
}

/** What is to be left of a picture, by the rules alone. */
export interface Expected {
  readonly timeline: ReadonlySet<string>;
  /** Ids of all events that are to be stored still. */
  readonly stored: ReadonlySet<string>;
  readonly groups: readonly number[];
  readonly resolved: RoomPicture['resolved'];
}

/** What a purge is to leave, found out by brute force. */
export function expectedAfter(
  before: RoomPicture,
  place: EventRow,
  isKeptLocally: (row: EventRow) => boolean,
  extremities: ReadonlySet<string>,
): Expected {
  const byId = new Map(before.rows.map((row) => [row.eventId, row]));
  const isBefore = (row: EventRow): boolean =>
    row.depth < place.depth ||
    (row.depth === place.depth &&
      row.streamOrdering !== null &&
      row.streamOrdering < (place.streamOrdering ?? 0));
  const staysShown = (row: EventRow): boolean =>
    row.streamOrdering !== null && (!isBefore(row) || extremities.has(row.eventId) || isKeptLocally(row));
  const shown = before.rows.filter(staysShown);
  const gone = before.rows.filter((row) => row.streamOrdering !== null && !staysShown(row));
  const upTo = Math.max(0, ...gone.map(({ streamOrdering }) => streamOrdering ?? 0));
  const resolved = before.resolved.filter(({ at }) => at > upTo);
  const hidden = before.rows.filter((row) => row.streamOrdering === null && row.depth >= place.depth);
  const stored = new Set<string>();
  const queue = [...shown, ...hidden].map(({ eventId }) => eventId);
  for (const { eventId } of shown)
    for (const entry of before.states.get(eventId) ?? []) queue.push(entry.split(' ').at(-1) ?? '');
  for (const { entries } of resolved) for (const entry of entries) queue.push(entry.split(' ').at(-1) ?? '');
  for (const entry of [...before.current, ...before.members]) queue.push(entry.split(' ').at(-1) ?? '');
  for (const text of before.memberships) queue.push((JSON.parse(text) as { eventId: string }).eventId);
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    const row = byId.get(id);
    if (row === undefined || stored.has(id)) continue;
    stored.add(id);
    queue.push(...edgeIds((JSON.parse(row.pdu) as Pdu).auth_events));
    if (row.redactedBy !== null) queue.push(row.redactedBy);
  }
  const groups = new Set([...shown, ...hidden].map(({ stateGroup }) => stateGroup));
  groups.add(before.resolvedStateGroup);
  for (const { stateGroup } of resolved) groups.add(stateGroup);
  groups.delete(null);
  return {
    timeline: new Set(shown.map(({ eventId }) => eventId)),
    stored,
    groups: ([...groups] as number[]).toSorted((one, other) => one - other),
    resolved,
  };
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.integer(list.length)] as T;
}

async function actAlone(house: RoomsHouse, roomId: string, random: Random, count: number): Promise<void> {
  const user = pick(random, [ALICE, BOB, CAROL]);
  const action = random.integer(10);
  if (action < 2) {
    const { backward } = await readPicture(house, roomId);
    const relatesTo = { rel_type: 'm.annotation', event_id: pick(random, backward) };
    const event = { type: 'm.room.message', content: { body: 'related', 'm.relates_to': relatesTo } };
    const input = { roomId, sender: user, event, transaction: null, originServerTs: null };
    await house.rooms.ask('rooms.send-event', input);
  } else if (action < 4) await sendMessage(house, roomId, user, `message ${count}`, `txn-${count}`);
  else if (action < 6)
    await sendState(house, roomId, ALICE, { type: `org.example.${random.integer(6)}`, content: { count } });
  else if (action === 6) await change(house, roomId, 'leave', pick(random, [BOB, CAROL]));
  else if (action === 7) await change(house, roomId, 'join', user, user, { displayname: `name ${count}` });
  else if (action === 8)
    await sendState(house, roomId, ALICE, { type: 'm.room.topic', content: { topic: `topic ${count}` } });
  else {
    const { backward } = await readPicture(house, roomId);
    const eventId = pick(random, backward);
    const content = { reason: 'test' };
    await house.rooms.ask('rooms.redact-event', {
      roomId,
      sender: ALICE,
      eventId,
      content,
      transaction: null,
    });
  }
}

/** Lets people, and with a view a server elsewhere that forks the room, do something. */
export async function actAtRandom(
  house: RoomsHouse,
  roomId: string,
  random: Random,
  options: { readonly actions: number; readonly view: ForeignRoom | null },
): Promise<void> {
  const { actions, view } = options;
  for (let count = 0; count < actions; count += 1) {
    if (view === null || random.integer(3) > 0) {
      await actAlone(house, roomId, random, count);
      continue;
    }
    const newest = (await readPicture(house, roomId)).backward;
    for (const eventId of newest.slice(0, 3)) await view.adopt(house, eventId);
    // Now and then it has not seen the newest ones.
    const prev = [newest[Math.min(random.integer(4), 2, newest.length - 1)] as string];
    const isState = random.integer(2) === 0;
    const event = view.add({
      sender: REMOTE,
      type: isState ? 'm.room.member' : 'm.room.message',
      ...(isState && { stateKey: REMOTE }),
      content: isState
        ? { membership: 'join', displayname: `remote ${count}` }
        : { body: `remote ${count}`, 'm.relates_to': { rel_type: 'm.thread', event_id: prev[0] as string } },
      prev,
    });
    await receive(house, roomId, event);
  }
}

const HOUR_MS = 60 * 60 * 1000;

/** Purges, and expects that it is done. */
export async function purge(
  house: RoomsHouse,
  request: Omit<PurgeRequest, 'deleteLocalEvents'>,
  deleteLocalEvents = true,
): Promise<Purged> {
  const reply = await house.rooms.ask(
    'rooms.purge-history',
    { ...request, deleteLocalEvents },
    { deadlineMs: HOUR_MS },
  );
  if (isRefusal(reply)) throw new Error(`refused: ${reply.error}`);
  return reply;
}

/** An event of a picture. */
export function rowOf(picture: RoomPicture, eventId: string): EventRow {
  const row = picture.rows.find((one) => one.eventId === eventId);
  if (row === undefined) throw new Error(`no ${eventId}`);
  return row;
}

async function extremitiesOf(house: RoomsHouse, roomId: string): Promise<ReadonlySet<string>> {
  const { roomNid } = await roomOf(house, roomId);
  const extremities = await readExtremities(house.database.db, roomNid);
  return new Set(extremities.map(({ eventId }) => eventId));
}

/** Expects that exactly what is to stay is there, and that readers say of it what they said before. */
export async function expectPurged(
  house: RoomsHouse,
  roomId: string,
  before: RoomPicture,
  place: EventRow,
  isKeptLocally: (row: EventRow) => boolean,
): Promise<void> {
  const expected = expectedAfter(before, place, isKeptLocally, await extremitiesOf(house, roomId));
  const after = await readPicture(house, roomId);
  const stays = (eventId: string): boolean => expected.timeline.has(eventId);
  expect(after.backward).to.deep.equal(before.backward.filter(stays));
  expect(after.forward).to.deep.equal(before.forward.filter(stays));
  for (const eventId of after.backward)
    expect(after.states.get(eventId), `state at ${eventId}`).to.deep.equal(before.states.get(eventId));
  expect(after.current).to.deep.equal(before.current);
  expect(after.members).to.deep.equal(before.members);
  expect(after.memberships).to.deep.equal(before.memberships);
  expect(after.resolved, 'states that were current').to.deep.equal(expected.resolved);
  const kept = (picture: RoomPicture) =>
    picture.rows
      .filter((row) => expected.stored.has(row.eventId))
      .map((row) => [row.eventId, row.redactedBy, row.pdu]);
  expect(after.rows.map(({ eventId }) => eventId)).to.have.members([...expected.stored]);
  expect(kept(after)).to.deep.equal(kept(before));
  expect(after.groups.map(({ stateGroup }) => stateGroup)).to.deep.equal(expected.groups);
  expect(after.strays).to.equal(0);
  await checkRoom(house, roomId);
}

/** Sends so many messages of Alice's at once; gives the last one. */
export async function fill(house: RoomsHouse, roomId: string, messages: number): Promise<string> {
  const replies = await Promise.all(
    Array.from({ length: messages }, (_, index) =>
      sendMessage(house, roomId, ALICE, `message ${index} ${'x'.repeat(300)}`),
    ),
  );
  return replies.map((reply) => sent(reply).eventId).at(-1) ?? '';
}
