import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A room as it is known for ever; `isPublic` and `resolvedStateGroup` alone may change. */
export interface RoomRecord {
  readonly roomNid: number;
  readonly roomId: string;
  readonly roomVersion: string;
  /** The full user id of who made it; empty where that is not known: of rooms that this server was only invited to. */
  readonly creator: string;
  /** Whether it stands in the public directory. */
  readonly isPublic: boolean;
  /** The state that several forward extremities resolve to; null while there is one, whose state it is. */
  readonly resolvedStateGroup: number | null;
}

export interface AliasRecord {
  readonly alias: string;
  readonly roomId: string;
  /** The full user id of who made the alias. */
  readonly creator: string;
}

interface RoomRow {
  readonly roomNid: number;
  readonly roomId: string;
  readonly roomVersion: string;
  readonly creator: string;
  readonly isPublic: number;
  readonly resolvedStateGroup: number | null;
}

export const findRoomById = defineQuery<{ readonly roomId: string }, RoomRow>({
  name: 'rooms.find-room',
  sql: `
    SELECT room_nid AS roomNid, room_id AS roomId, room_version AS roomVersion, creator, is_public AS isPublic,
           resolved_state_group AS resolvedStateGroup
      FROM rooms WHERE room_id = :roomId`,
});

export const findAliasByName = defineQuery<{ readonly alias: string }, AliasRecord>({
  name: 'rooms.find-alias',
  sql: `
    SELECT a.alias, r.room_id AS roomId, a.creator
      FROM room_aliases a JOIN rooms r ON r.room_nid = a.room_nid
     WHERE a.alias = :alias`,
});

export const readAliasesOfRoom = defineQuery<{ readonly roomId: string }, AliasRecord>({
  name: 'rooms.read-aliases-of-room',
  sql: `
    SELECT a.alias, r.room_id AS roomId, a.creator
      FROM rooms r JOIN room_aliases a ON a.room_nid = r.room_nid
     WHERE r.room_id = :roomId
     ORDER BY a.alias`,
});

/** The room, or undefined when this server has never heard of it. Its version needs no message to the owner (STREAMS.md 8.8). */
export async function findRoom(db: ReadDb, roomId: string): Promise<RoomRecord | undefined> {
  const row = await db.find(findRoomById, { roomId });
  return row === undefined ? undefined : { ...row, isPublic: row.isPublic === 1 };
}

/** The room that a full alias (`#name:domain`) points at. */
export function findAlias(db: ReadDb, alias: string): Promise<AliasRecord | undefined> {
  return db.find(findAliasByName, { alias });
}

/** The local aliases of a room, in alphabetical order. */
export function readRoomAliases(db: ReadDb, roomId: string): Promise<readonly AliasRecord[]> {
  return db.all(readAliasesOfRoom, { roomId });
}
