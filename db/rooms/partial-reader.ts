import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A room that this server has joined without its members: what is missing comes behind. MSC3902. */
export interface PartialRoom {
  readonly roomId: string;
  /** This server's join: the state before it is what is missing. */
  readonly joinEventId: string;
  /** The server that helped with the join. */
  readonly joinedVia: string;
  /** The servers that it named as being in the room. */
  readonly servers: readonly string[];
}

interface PartialRow {
  readonly roomId: string;
  readonly joinEventId: string;
  readonly joinedVia: string;
  readonly servers: string;
}

const COLUMNS = `
  SELECT r.room_id AS roomId, p.join_event_id AS joinEventId, p.joined_via AS joinedVia, p.servers
    FROM partial_rooms p
    JOIN rooms r ON r.room_nid = p.room_nid`;

/** Whether, and since which join, a room's state is not whole. */
export const selectPartialRoom = defineQuery<{ readonly roomId: string }, PartialRow>({
  name: 'rooms.find-partial-room',
  sql: `${COLUMNS} WHERE r.room_id = :roomId`,
});

/** All rooms whose state is not whole: few at any time. */
export const selectPartialRooms = defineQuery<{ readonly limit: number }, PartialRow>({
  name: 'rooms.list-partial-rooms',
  sql: `${COLUMNS} ORDER BY p.room_nid LIMIT :limit`,
  scans: ['partial_rooms'],
});

/** Rooms that are read at once; the others follow when these are whole. */
const PARTIAL_ROOMS_MAX = 1_000;

const partialRoom = ({ servers, ...row }: PartialRow): PartialRoom => ({
  ...row,
  servers: JSON.parse(servers) as string[],
});

/** Finds what a room's state waits for; undefined when it is whole. */
export async function findPartialRoom(db: ReadDb, roomId: string): Promise<PartialRoom | undefined> {
  const row = await db.find(selectPartialRoom, { roomId });
  return row && partialRoom(row);
}

/** Reads the rooms whose state is not whole, at most a thousand. */
export async function readPartialRooms(db: ReadDb): Promise<readonly PartialRoom[]> {
  const rows = await db.all(selectPartialRooms, { limit: PARTIAL_ROOMS_MAX });
  return rows.map(partialRoom);
}

export const selectCompletion = defineQuery<
  { readonly roomId: string },
  { readonly position: number | null }
>({
  name: 'rooms.find-completion',
  sql: `SELECT max(position) AS position FROM room_changes WHERE room_id = :roomId AND change = 'completed'`,
});

/** When, on the events stream, a room's state became whole the last time that it had not been; null for one that always was. */
export async function findCompletion(db: ReadDb, roomId: string): Promise<number | null> {
  return (await db.find(selectCompletion, { roomId }))?.position ?? null;
}
