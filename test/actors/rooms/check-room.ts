import { expect } from 'chai';
import { defineQuery } from '../../../db/kit/query.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { readLocalMemberships } from '../../../db/rooms/membership-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import {
  readCurrentState,
  readStateAt,
  readStateChanges,
  readStateOfGroup,
} from '../../../db/rooms/state-reader.ts';
import { readEventRows } from '../../../db/rooms/stream-reader.ts';
import { edgeIds, type Pdu } from '../../../src/matrix/events/pdu.ts';
import { isOfServer } from '../../../src/matrix/identifiers/domain.ts';
import { checkRelations } from './check-relations.ts';
import { type RoomsHouse, SERVER } from './rooms-house.ts';

interface Row {
  readonly eventId: string;
  readonly rejection: string | null;
  readonly streamOrdering: number | null;
  readonly stateGroup: number | null;
  readonly pdu: string;
}

const allEvents = defineQuery<{ readonly roomNid: number }, Row>({
  name: 'test.all-events',
  sql: `SELECT event_id AS eventId, rejection, stream_ordering AS streamOrdering, state_group AS stateGroup, pdu
          FROM events WHERE room_nid = :roomNid ORDER BY event_nid`,
});

const currentMemberships = defineQuery<
  { readonly roomNid: number },
  { readonly userId: string; readonly membership: string; readonly eventId: string; readonly pdu: string }
>({
  name: 'test.current-memberships',
  sql: `SELECT k.state_key AS userId, c.membership, e.event_id AS eventId, e.pdu
          FROM current_state c
          JOIN state_keys k ON k.state_key_nid = c.state_key_nid
          JOIN events e ON e.event_nid = c.event_nid
         WHERE c.room_nid = :roomNid AND k.type = 'm.room.member'`,
});

const POSITION_MAX = Number.MAX_SAFE_INTEGER;

interface Entry {
  readonly type: string;
  readonly stateKey: string;
  readonly eventId: string | null;
}

/** Entries of a state as texts, in order. */
export function entriesOf(state: readonly Entry[]): readonly string[] {
  return state
    .filter(({ eventId }) => eventId !== null)
    .map(({ type, stateKey, eventId }) => `${type} ${stateKey} ${eventId ?? ''}`)
    .toSorted();
}

/** All events of a room, as they are stored. */
export async function readAllEvents(house: RoomsHouse, roomId: string): Promise<readonly Row[]> {
  const { db } = house.database;
  const room = await findRoom(db, roomId);
  return db.all(allEvents, { roomNid: room?.roomNid ?? 0 });
}

/** Checks what must be true of every room that this server is in, whatever happened to it. */
export async function checkRoom(house: RoomsHouse, roomId: string): Promise<void> {
  const { db } = house.database;
  const room = await findRoom(db, roomId);
  if (room === undefined) throw new Error(`no room ${roomId}`);
  const extremities = await readExtremities(db, room.roomNid);
  const [first, second] = extremities;
  expect(extremities.length, 'there is an extremity').to.be.greaterThan(0);
  expect(room.resolvedStateGroup === null, 'resolved with one extremity only').to.equal(second === undefined);
  const group = second === undefined ? first?.stateGroup : room.resolvedStateGroup;
  const current = entriesOf(await readCurrentState(db, roomId));
  expect(current, 'current state is that of its group').to.deep.equal(
    entriesOf(await readStateOfGroup(db, group ?? 0)),
  );
  expect(
    entriesOf(await readStateAt(db, roomId, POSITION_MAX)),
    'the state as of now is current',
  ).to.deep.equal(current);
  const changes = await readStateChanges(db, roomId, 0, POSITION_MAX);
  expect(entriesOf(changes), 'the last change of each place is current').to.deep.equal(current);

  const events = await readAllEvents(house, roomId);
  const isAccepted = ({ rejection, stateGroup }: Row): boolean =>
    stateGroup !== null && (rejection === null || rejection.startsWith('held'));
  const accepted = new Map(events.filter(isAccepted).map((event) => [event.eventId, event]));
  const followed = new Set(
    [...accepted.values()].flatMap(({ pdu }) => edgeIds((JSON.parse(pdu) as Pdu).prev_events)),
  );
  for (const { eventId } of extremities) {
    expect(accepted.has(eventId), `the extremity ${eventId} is accepted`).to.equal(true);
    expect(followed.has(eventId), `nothing follows the extremity ${eventId}`).to.equal(false);
  }
  for (const { eventId, rejection, streamOrdering } of events)
    expect(rejection !== null && streamOrdering !== null, `${eventId} is seen`).to.equal(false);
  const { rows } = await readEventRows(db, 0, POSITION_MAX, 100_000);
  for (const { row } of rows)
    if (row.kind === 'event' && row.roomId === roomId) expect(accepted.has(row.eventId)).to.equal(true);

  const members = await db.all(currentMemberships, { roomNid: room.roomNid });
  for (const { membership, pdu } of members)
    expect(membership).to.equal((JSON.parse(pdu) as Pdu).content['membership']);
  const local = members
    .filter(({ userId }) => isOfServer(userId, SERVER))
    .map(({ userId, membership, eventId }) => `${userId} ${membership} ${eventId}`);
  const standing = (await readLocalMemberships(db, roomId))
    .filter(({ membership }) => membership !== 'removed')
    .map(({ userId, membership, eventId }) => `${userId} ${membership} ${eventId}`);
  expect(standing.toSorted(), '5.7 local memberships').to.deep.equal(local.toSorted());
  await checkRelations(db, roomId);
}
