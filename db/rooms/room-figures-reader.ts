import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What a room holds and what it costs. */
export interface RoomFigures {
  readonly roomId: string;
  readonly roomVersion: string;
  readonly creator: string;
  readonly isPublic: boolean;
  readonly events: number;
  readonly eventBytes: number;
  readonly stateEntries: number;
  readonly forwardExtremities: number;
  /** The newest event's place in its room, and its position on the events stream. */
  readonly depth: number;
  readonly position: number;
  /** Membership → how many members. */
  readonly members: Readonly<Record<string, number>>;
  /** The same of local users, from the table that survives the server's leaving. */
  readonly localMembers: Readonly<Record<string, number>>;
}

interface FiguresRow {
  readonly roomNid: number;
  readonly roomVersion: string;
  readonly creator: string;
  readonly isPublic: number;
  readonly events: number;
  readonly eventBytes: number;
  readonly stateEntries: number;
  readonly forwardExtremities: number;
  readonly depth: number;
  readonly position: number;
}

export const roomFigures = defineQuery<{ readonly roomId: string }, FiguresRow>({
  name: 'rooms.read-figures',
  sql: `
    SELECT r.room_nid AS roomNid, r.room_version AS roomVersion, r.creator, r.is_public AS isPublic,
           (SELECT count(*) FROM events e WHERE e.room_nid = r.room_nid AND e.stream_ordering IS NOT NULL) AS events,
           (SELECT coalesce(sum(length(e.pdu)), 0) FROM events e
             WHERE e.room_nid = r.room_nid AND e.stream_ordering IS NOT NULL) AS eventBytes,
           (SELECT count(*) FROM current_state c WHERE c.room_nid = r.room_nid) AS stateEntries,
           (SELECT count(*) FROM forward_extremities f WHERE f.room_nid = r.room_nid) AS forwardExtremities,
           (SELECT coalesce(max(e.depth), 0) FROM events e
             WHERE e.room_nid = r.room_nid AND e.stream_ordering IS NOT NULL) AS depth,
           (SELECT coalesce(max(e.stream_ordering), 0) FROM events e
             WHERE e.room_nid = r.room_nid AND e.stream_ordering IS NOT NULL) AS position
      FROM rooms r WHERE r.room_id = :roomId`,
});

type Tally = { readonly membership: string; readonly count: number };

export const memberTally = defineQuery<{ readonly roomNid: number }, Tally>({
  name: 'rooms.tally-members',
  sql: `
    SELECT membership, count(*) AS count FROM current_state
     WHERE room_nid = :roomNid AND membership IS NOT NULL GROUP BY membership`,
});

export const localMemberTally = defineQuery<{ readonly roomNid: number }, Tally>({
  name: 'rooms.tally-local-members',
  sql: 'SELECT membership, count(*) AS count FROM local_memberships WHERE room_nid = :roomNid GROUP BY membership',
});

function tallied(rows: readonly Tally[]): Record<string, number> {
  return Object.fromEntries(rows.map(({ membership, count }) => [membership, count]));
}

/** Counts a room through, in one snapshot; undefined when this server does not know it. Costs as much as the room is large. */
export function findRoomFigures(db: ReadDb, roomId: string): Promise<RoomFigures | undefined> {
  return db.snapshot(async (snapshot) => {
    const row = await snapshot.find(roomFigures, { roomId });
    if (row === undefined) return undefined;
    const { roomNid, isPublic, ...figures } = row;
    const members = tallied(await snapshot.all(memberTally, { roomNid }));
    const localMembers = tallied(await snapshot.all(localMemberTally, { roomNid }));
    return { roomId, ...figures, isPublic: isPublic === 1, members, localMembers };
  });
}
