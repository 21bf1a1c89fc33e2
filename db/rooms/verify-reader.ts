import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

type After = { readonly after: number; readonly limit: number };

/** Rows read at once. */
const PAGE = 1_000;

/** Reads pages until one is not full; the next begins after the last of the one before. */
async function* paged<Row>(
  read: (after: number) => Promise<readonly Row[]>,
  numberOf: (row: Row) => number,
): AsyncGenerator<readonly Row[]> {
  let after = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const page = await read(after);
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = numberOf(last);
  }
}

/** A room to look at. */
export type RoomToVerify = { readonly roomNid: number; readonly roomId: string };

export const roomsInOrder = defineQuery<After, RoomToVerify>({
  name: 'rooms.read-rooms-in-order',
  sql: `
    SELECT room_nid AS roomNid, room_id AS roomId FROM rooms
     WHERE room_nid > :after ORDER BY room_nid LIMIT :limit`,
});

/** Every room, in pages. */
export function readRoomsToVerify(db: ReadDb): AsyncGenerator<readonly RoomToVerify[]> {
  return paged(
    (after) => db.all(roomsInOrder, { after, limit: PAGE }),
    ({ roomNid }) => roomNid,
  );
}

/** A state group and what it is stored over. */
export type GroupToVerify = {
  readonly stateGroup: number;
  readonly roomNid: number;
  readonly parent: number | null;
  /** Null: there is no such group. */
  readonly roomOfParent: number | null;
  /** 0: there is no such room, nor one that is being deleted. */
  readonly hasRoom: 0 | 1;
  /** Of a checkpoint: how many entries it says to have, and has. */
  readonly entriesSaid: number | null;
  readonly entriesFound: number | null;
};

export const groupsInOrder = defineQuery<After, GroupToVerify>({
  name: 'rooms.read-state-groups-in-order',
  sql: `
    SELECT g.state_group AS stateGroup, g.room_nid AS roomNid, g.parent, p.room_nid AS roomOfParent,
           EXISTS (SELECT 1 FROM rooms r WHERE r.room_nid = g.room_nid)
             OR EXISTS (SELECT 1 FROM deleted_rooms d WHERE d.room_nid = g.room_nid) AS hasRoom,
           CASE WHEN g.parent IS NULL THEN g.entries END AS entriesSaid,
           CASE WHEN g.parent IS NULL THEN (SELECT count(n.event_nid) FROM state_group_entries n WHERE n.state_group = g.state_group) END
             AS entriesFound
      FROM state_groups g LEFT JOIN state_groups p ON p.state_group = g.parent
     WHERE g.state_group > :after ORDER BY g.state_group LIMIT :limit`,
});

/** Every state group, in pages. */
export function readGroupsToVerify(db: ReadDb): AsyncGenerator<readonly GroupToVerify[]> {
  return paged(
    (after) => db.all(groupsInOrder, { after, limit: PAGE }),
    ({ stateGroup }) => stateGroup,
  );
}

export const lostEntries = defineQuery<
  { readonly from: number; readonly to: number },
  { readonly stateGroup: number; readonly lost: number }
>({
  name: 'rooms.count-lost-state-entries',
  sql: `
    SELECT n.state_group AS stateGroup, count(*) AS lost
      FROM state_group_entries n
     WHERE n.state_group BETWEEN :from AND :to
       AND ((n.event_nid IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_nid = n.event_nid))
         OR NOT EXISTS (SELECT 1 FROM state_keys k WHERE k.state_key_nid = n.state_key_nid))
     GROUP BY n.state_group`,
});

/** Groups within a range that have entries whose event or place is not known. */
export function readLostEntries(
  db: ReadDb,
  range: { readonly from: number; readonly to: number },
): Promise<readonly { readonly stateGroup: number; readonly lost: number }[]> {
  return db.all(lostEntries, range);
}

/** The group whose state a room's current state is; null: the room has no current state here. */
const GROUP_OF_ROOM = `
  SELECT CASE (SELECT count(*) FROM forward_extremities WHERE room_nid = :roomNid)
         WHEN 0 THEN NULL
         WHEN 1 THEN (SELECT e.state_group FROM forward_extremities f JOIN events e ON e.event_nid = f.event_nid WHERE f.room_nid = :roomNid)
         ELSE (SELECT resolved_state_group FROM rooms WHERE room_nid = :roomNid) END AS state_group`;

export const differingState = defineQuery<{ readonly roomNid: number }, { readonly differing: number }>({
  name: 'rooms.count-differing-state',
  // UNION, so that a chain which bites its own tail ends.
  sql: `
    WITH RECURSIVE own AS MATERIALIZED (${GROUP_OF_ROOM}),
    chain (state_group, parent) AS (
      SELECT g.state_group, g.parent FROM own o JOIN state_groups g ON g.state_group = o.state_group
      UNION
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent),
    latest AS (
      SELECT n.state_key_nid, n.event_nid, max(n.state_group)
        FROM chain c CROSS JOIN state_group_entries n ON n.state_group = c.state_group
       GROUP BY n.state_key_nid),
    whole AS MATERIALIZED (SELECT state_key_nid, event_nid FROM latest WHERE event_nid IS NOT NULL)
    SELECT (SELECT count(*) FROM (SELECT state_key_nid, event_nid FROM whole
                                  EXCEPT SELECT state_key_nid, event_nid FROM current_state WHERE room_nid = :roomNid))
         + (SELECT count(*) FROM (SELECT state_key_nid, event_nid FROM current_state WHERE room_nid = :roomNid
                                  EXCEPT SELECT state_key_nid, event_nid FROM whole)) AS differing`,
  scans: ['own', 'o', 'chain', 'c', 'latest', 'whole'],
});

/** In how many entries the current state of a room is not the state after its newest events. */
export async function countDifferingState(db: ReadDb, roomNid: number): Promise<number> {
  return (await db.get(differingState, { roomNid })).differing;
}

/** An event to compute the id of. */
export type EventToVerify = {
  readonly eventNid: number;
  readonly eventId: string;
  readonly roomVersion: string;
  /** JSON. */
  readonly pdu: string;
};

export const eventsInOrder = defineQuery<After, EventToVerify>({
  name: 'rooms.read-events-in-order',
  sql: `
    SELECT e.event_nid AS eventNid, e.event_id AS eventId, r.room_version AS roomVersion, e.pdu
      FROM events e CROSS JOIN rooms r ON r.room_nid = e.room_nid
     WHERE e.event_nid > :after ORDER BY e.event_nid LIMIT :limit`,
});

/** Every event of every room, in pages. */
export function readEventsToVerify(db: ReadDb): AsyncGenerator<readonly EventToVerify[]> {
  return paged(
    (after) => db.all(eventsInOrder, { after, limit: PAGE }),
    ({ eventNid }) => eventNid,
  );
}
