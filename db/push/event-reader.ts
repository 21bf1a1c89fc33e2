import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** An event that users may be notified of. */
export interface PushEvent {
  /** On the events stream. */
  readonly place: number;
  readonly eventId: string;
  readonly roomId: string;
  readonly roomNid: number;
  /** The event as it was signed, JSON. */
  readonly pdu: string;
  /** It stands in a timeline; otherwise it is an invite to a room that this server is not in. */
  readonly isInTimeline: number;
}

/** A local user who has joined a room. */
export interface LocalMember {
  readonly userId: string;
  readonly userNid: number;
  /** When, on the events stream. */
  readonly since: number;
}

export const readEventsQuery = defineQuery<
  { readonly from: number; readonly to: number; readonly limit: number },
  PushEvent
>({
  name: 'push.read-events',
  sql: `
    SELECT * FROM (
      SELECT e.stream_ordering AS place, e.event_id AS eventId, r.room_id AS roomId, e.room_nid AS roomNid, e.pdu,
             1 AS isInTimeline
        FROM events e
        JOIN rooms r ON r.room_nid = e.room_nid
       WHERE e.stream_ordering > :from AND e.stream_ordering <= :to AND e.rejection IS NULL AND e.redacted_by IS NULL
       ORDER BY e.stream_ordering LIMIT :limit)
    UNION ALL
    SELECT * FROM (
      SELECT c.position, e.event_id, r.room_id, c.room_nid, e.pdu, 0
        FROM state_changes c
        JOIN state_keys k ON k.state_key_nid = c.state_key_nid AND k.type = 'm.room.member'
        JOIN events e ON e.event_nid = c.event_nid AND e.stream_ordering IS NULL
        JOIN rooms r ON r.room_nid = c.room_nid
       WHERE c.position > :from AND c.position <= :to
       ORDER BY c.position LIMIT :limit)
    ORDER BY 1 LIMIT :limit`,
});

export const findProgressQuery = defineQuery<Record<string, never>, { readonly place: number }>({
  name: 'push.find-progress',
  sql: 'SELECT place FROM push_progress WHERE only_row = 1',
});

export const readLocalMembersQuery = defineQuery<{ readonly roomId: string }, LocalMember>({
  name: 'push.read-local-members',
  sql: `
    SELECT u.user_id AS userId, m.user_nid AS userNid, m.position AS since
      FROM rooms r
      JOIN local_memberships m ON m.room_nid = r.room_nid AND m.membership = 'join'
      JOIN user_ids u ON u.user_nid = m.user_nid
     WHERE r.room_id = :roomId`,
});

/** Events with `from < place <= to`, ascending, at most `limit`: those of timelines, and invites to rooms that this server is not in. */
export function readPushEvents(db: ReadDb, from: number, to: number, limit: number): Promise<PushEvent[]> {
  return db.all(readEventsQuery, { from, to, limit });
}

/** Up to where the events stream is evaluated; undefined before the first time. */
export async function findPushProgress(db: ReadDb): Promise<number | undefined> {
  return (await db.find(findProgressQuery, {}))?.place;
}

export const findUserNidQuery = defineQuery<{ readonly userId: string }, { readonly userNid: number }>({
  name: 'push.find-user-nid',
  sql: 'SELECT user_nid AS userNid FROM user_ids WHERE user_id = :userId',
});

/** The number of a user; null for one who is in no room and never was. */
export async function findUserNid(db: ReadDb, userId: string): Promise<number | null> {
  return (await db.find(findUserNidQuery, { userId }))?.userNid ?? null;
}
