import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A room whose rows are being deleted. */
export interface RoomInDeletion {
  readonly roomNid: number;
  readonly roomId: string;
}

/** How a local user's stay in a deleted room ended. */
export interface EndedMembership {
  readonly roomId: string;
  readonly roomVersion: string;
  /** On the events stream: when it ended. */
  readonly position: number;
  readonly eventId: string;
  /** The member event, JSON, redacted if it was. */
  readonly pdu: string;
}

/** An event by its number, with what it takes. */
export interface SizedEvent {
  readonly eventNid: number;
  readonly isState: boolean;
  readonly idBytes: number;
  readonly pduBytes: number;
}

type OfRoom = { readonly roomNid: number };

export const readRoomsInDeletion = defineQuery<{ readonly limit: number }, RoomInDeletion>({
  name: 'rooms.read-rooms-in-deletion',
  sql: 'SELECT room_nid AS roomNid, room_id AS roomId FROM deleted_rooms ORDER BY room_nid LIMIT :limit',
  scans: ['deleted_rooms'],
});

export const readEndedOfUser = defineQuery<
  { readonly userId: string; readonly from: number; readonly to: number },
  EndedMembership
>({
  name: 'rooms.read-ended-memberships',
  sql: `
    SELECT room_id AS roomId, room_version AS roomVersion, position, event_id AS eventId, pdu
      FROM ended_memberships
     WHERE user_id = :userId AND position > :from AND position <= :to
     ORDER BY room_id`,
});

const SIZED = `
    SELECT event_nid AS eventNid, state_key_nid IS NOT NULL AS isState, octet_length(event_id) AS idBytes,
           octet_length(pdu) AS pduBytes`;

export const readShownOfRoom = defineQuery<
  OfRoom & { readonly limit: number },
  Omit<SizedEvent, 'isState'> & { readonly isState: number }
>({
  name: 'rooms.delete-read-shown-events',
  sql: `${SIZED}
      FROM events INDEXED BY events_by_timeline
     WHERE room_nid = :roomNid AND stream_ordering IS NOT NULL LIMIT :limit`,
});

export const readHiddenOfRoom = defineQuery<
  OfRoom & { readonly limit: number },
  Omit<SizedEvent, 'isState'> & { readonly isState: number }
>({
  name: 'rooms.delete-read-hidden-events',
  sql: `${SIZED}
      FROM events INDEXED BY events_outside_of_timeline
     WHERE room_nid = :roomNid AND stream_ordering IS NULL LIMIT :limit`,
});

/** Rooms whose deletion has begun and not ended. */
export function readDeletions(db: ReadDb, limit: number): Promise<readonly RoomInDeletion[]> {
  return db.all(readRoomsInDeletion, { limit });
}

/** How a user's memberships of deleted rooms ended, with `from < position <= to`. */
export function readEndedMemberships(
  db: ReadDb,
  userId: string,
  from: number,
  to: number,
): Promise<readonly EndedMembership[]> {
  return db.all(readEndedOfUser, { userId, from, to });
}

/** Some events of a room, at most `limit`: first those of the timeline, then the others. */
export async function readSomeEvents(
  db: ReadDb,
  roomNid: number,
  limit: number,
): Promise<readonly SizedEvent[]> {
  const shown = await db.all(readShownOfRoom, { roomNid, limit });
  const rows = shown.length > 0 ? shown : await db.all(readHiddenOfRoom, { roomNid, limit });
  return rows.map((row) => ({ ...row, isState: row.isState === 1 }));
}

export const findHighestGroup = defineQuery<OfRoom, { readonly stateGroup: number | null }>({
  name: 'rooms.find-highest-group-of-room',
  sql: 'SELECT max(state_group) AS stateGroup FROM state_groups INDEXED BY state_groups_by_room WHERE room_nid = :roomNid',
});

/** The highest number of a state group of a room; 0 when it has none. */
export async function readHighestGroup(db: ReadDb, roomNid: number): Promise<number> {
  return (await db.get(findHighestGroup, { roomNid })).stateGroup ?? 0;
}
