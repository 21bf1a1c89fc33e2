import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A notification of a user. */
export interface StoredNotification {
  /** Of its event, on the events stream. */
  readonly place: number;
  readonly roomId: string;
  readonly eventId: string;
  /** The root of its thread, or `main`. */
  readonly threadId: string;
  /** JSON; null for `["notify"]`. */
  readonly actions: string | null;
  readonly isHighlight: number;
  /** Milliseconds since the Unix epoch. */
  readonly ts: number;
}

type PageParams = { readonly userId: string; readonly before: number; readonly limit: number };

const COLUMNS = `
  n.place, r.room_id AS roomId, e.event_id AS eventId, n.thread_id AS threadId, n.actions,
  n.is_highlight AS isHighlight, n.ts`;

// An invite to a room that this server is not in stands in no timeline: its place is that of the change of state.
const EVENT = `
  JOIN rooms r ON r.room_nid = n.room_nid
  LEFT JOIN events t ON t.stream_ordering = n.place
  LEFT JOIN state_changes c ON c.position = n.place
  JOIN events e ON e.event_nid = coalesce(t.event_nid, c.event_nid) AND e.redacted_by IS NULL`;

const OF_USER = 'n.user_nid = (SELECT user_nid FROM user_ids WHERE user_id = :userId)';

export const readPageQuery = defineQuery<PageParams & { readonly highlightMin: number }, StoredNotification>({
  name: 'push.read-notifications',
  sql: `
    SELECT ${COLUMNS}
      FROM notifications n ${EVENT}
     WHERE ${OF_USER} AND n.place < :before AND n.is_highlight >= :highlightMin
     ORDER BY n.place DESC LIMIT :limit`,
});

export const findNextQuery = defineQuery<
  { readonly userId: string; readonly after: number },
  StoredNotification
>({
  name: 'push.find-next-notification',
  sql: `
    SELECT ${COLUMNS}
      FROM notifications n ${EVENT}
     WHERE ${OF_USER} AND n.place > :after
     ORDER BY n.place LIMIT 1`,
});

/** Notifications of a user with `place < before`, the newest first; none of redacted events. */
export function readNotifications(
  db: ReadDb,
  { onlyHighlights, ...page }: PageParams & { readonly onlyHighlights: boolean },
): Promise<StoredNotification[]> {
  return db.all(readPageQuery, { ...page, highlightMin: onlyHighlights ? 1 : 0 });
}

/** The first notification of a user with `place > after`. */
export function findNextNotification(
  db: ReadDb,
  userId: string,
  after: number,
): Promise<StoredNotification | undefined> {
  return db.find(findNextQuery, { userId, after });
}

export const findNextUserQuery = defineQuery<{ readonly after: number }, { readonly userNid: number | null }>(
  {
    name: 'push.find-next-user-with-notifications',
    sql: 'SELECT min(user_nid) AS userNid FROM notifications WHERE user_nid > :after',
  },
);

/** The next user who has notifications, by number; null after the last. */
export async function findNextUserWithNotifications(db: ReadDb, after: number): Promise<number | null> {
  return (await db.get(findNextUserQuery, { after })).userNid;
}
