import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** How far the directory is. */
export type DirectoryProgress = {
  /** Of the events stream. */
  readonly eventsUpTo: number;
  /** The number of the last room that was put in anew; null when the directory is built. */
  readonly rebuiltUpTo: number | null;
};

/** A user as the directory shows them. */
export type DirectoryUser = {
  readonly userId: string;
  readonly displayName: string | null;
  readonly avatarUrl: string | null;
};

/** Something that may change the directory: a place of a room's state, or with nulls the whole room. */
export type DirectoryChange = {
  readonly position: number;
  readonly roomId: string;
  readonly type: string | null;
  readonly stateKey: string | null;
};

/** A user in a room. Name and avatar are those of the member event. */
export type DirectoryMember = DirectoryUser & { readonly stateKeyNid: number };

const CHANGING = `('m.room.member', 'm.room.join_rules', 'm.room.history_visibility')`;

export const readDirectoryProgress = defineQuery<Record<string, never>, DirectoryProgress>({
  name: 'user-directory.read-progress',
  sql: `SELECT events_up_to AS eventsUpTo, rebuilt_up_to AS rebuiltUpTo FROM directory_progress WHERE only_row = 1`,
});

export const readChangesInRange = defineQuery<
  { readonly from: number; readonly to: number; readonly limit: number },
  DirectoryChange
>({
  name: 'user-directory.read-changes',
  sql: `
    SELECT * FROM (
      SELECT e.stream_ordering AS position, r.room_id AS roomId, k.type, k.state_key AS stateKey
        FROM events e
        JOIN state_keys k ON k.state_key_nid = e.state_key_nid AND k.type IN ${CHANGING}
        JOIN rooms r ON r.room_nid = e.room_nid
       WHERE e.stream_ordering > :from AND e.stream_ordering <= :to AND e.rejection IS NULL
       ORDER BY e.stream_ordering LIMIT :limit)
    UNION ALL
    SELECT * FROM (
      SELECT c.position, r.room_id, k.type, k.state_key
        FROM state_changes c
        JOIN state_keys k ON k.state_key_nid = c.state_key_nid AND k.type IN ${CHANGING}
        JOIN rooms r ON r.room_nid = c.room_nid
       WHERE c.position > :from AND c.position <= :to
       ORDER BY c.position LIMIT :limit)
    UNION ALL
    SELECT * FROM (
      SELECT position, room_id, NULL, NULL FROM room_changes
       WHERE position > :from AND position <= :to
       ORDER BY position LIMIT :limit)
    ORDER BY 1 LIMIT :limit`,
});

const MEMBER_COLUMNS = `
           k.state_key AS userId, k.state_key_nid AS stateKeyNid,
           CASE json_type(e.pdu, '$.content.displayname') WHEN 'text' THEN json_extract(e.pdu, '$.content.displayname') END
             AS displayName,
           CASE json_type(e.pdu, '$.content.avatar_url') WHEN 'text' THEN json_extract(e.pdu, '$.content.avatar_url') END
             AS avatarUrl`;

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';

export const readMemberPage = defineQuery<
  { readonly roomId: string; readonly after: number; readonly limit: number },
  DirectoryMember
>({
  name: 'user-directory.read-members',
  sql: `
    SELECT ${MEMBER_COLUMNS}
      FROM current_state c
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
      JOIN events e ON e.event_nid = c.event_nid
     WHERE c.room_nid = ${ROOM_NID} AND c.state_key_nid > :after AND c.membership = 'join'
     ORDER BY c.state_key_nid LIMIT :limit`,
});

export const findMember = defineQuery<{ readonly roomId: string; readonly userId: string }, DirectoryMember>({
  name: 'user-directory.find-member',
  sql: `
    SELECT ${MEMBER_COLUMNS}
      FROM state_keys k
      JOIN current_state c ON c.room_nid = ${ROOM_NID} AND c.state_key_nid = k.state_key_nid AND c.membership = 'join'
      JOIN events e ON e.event_nid = c.event_nid
     WHERE k.type = 'm.room.member' AND k.state_key = :userId`,
});

export const findNextRoom = defineQuery<
  { readonly after: number },
  { readonly roomNid: number; readonly roomId: string }
>({
  name: 'user-directory.find-next-room',
  sql: 'SELECT room_nid AS roomNid, room_id AS roomId FROM rooms WHERE room_nid > :after ORDER BY room_nid LIMIT 1',
});

/** An account with its profile, and what the directory has of it. Profile fields are JSON. */
type AccountRow = {
  readonly userId: string;
  readonly displayname: string | null;
  readonly avatar: string | null;
  readonly directoryNid: number | null;
  readonly shownName: string | null;
  readonly shownAvatar: string | null;
};

export const readAccountPage = defineQuery<
  { readonly after: string; readonly upTo: string; readonly limit: number },
  AccountRow
>({
  name: 'user-directory.read-accounts',
  sql: `
    SELECT a.user_id AS userId, d.value AS displayname, v.value AS avatar,
           u.directory_nid AS directoryNid, u.display_name AS shownName, u.avatar_url AS shownAvatar
      FROM accounts a
      LEFT JOIN profile_fields d ON d.user_id = a.user_id AND d.field = 'displayname'
      LEFT JOIN profile_fields v ON v.user_id = a.user_id AND v.field = 'avatar_url'
      LEFT JOIN directory_users u ON u.user_id = a.user_id
     WHERE a.user_id > :after AND a.user_id <= :upTo
     ORDER BY a.user_id LIMIT :limit`,
});

/** One user that a search has found. */
export type FoundUser = DirectoryUser & { readonly word: string };

type Search = {
  readonly userId: string;
  readonly from: string;
  readonly to: string;
  /** JSON list of the other words. */
  readonly others: string;
  readonly searchAll: number;
  readonly lookAt: number;
  readonly limit: number;
};

export const searchUsers = defineQuery<Search, FoundUser>({
  name: 'user-directory.search',
  sql: `
    WITH matching (word, directory_nid) AS MATERIALIZED (
      SELECT min(word), directory_nid
        FROM (SELECT word, directory_nid FROM directory_words WHERE word >= :from AND word < :to ORDER BY word LIMIT :lookAt)
       GROUP BY directory_nid)
    SELECT u.user_id AS userId, u.display_name AS displayName, u.avatar_url AS avatarUrl, m.word
      FROM matching m
      CROSS JOIN directory_users u ON u.directory_nid = m.directory_nid
     WHERE NOT EXISTS (SELECT 1 FROM json_each(:others) wanted
                        WHERE NOT EXISTS (SELECT 1 FROM directory_words w
                                           WHERE w.directory_nid = m.directory_nid
                                             AND w.word >= wanted.value AND w.word < wanted.value || char(1114111)))
       AND NOT EXISTS (SELECT 1 FROM accounts a
                        WHERE a.user_id = u.user_id AND (a.deactivated_ts IS NOT NULL OR a.locked_ts IS NOT NULL))
       AND ((:searchAll = 1 AND EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = u.user_id))
            OR EXISTS (SELECT 1 FROM directory_places p WHERE p.directory_nid = u.directory_nid)
            OR (u.user_id <> :userId AND EXISTS (
                 SELECT 1 FROM local_memberships l
                   JOIN current_state c ON c.room_nid = l.room_nid AND c.membership = 'join' AND c.state_key_nid =
                        (SELECT state_key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key = u.user_id)
                  WHERE l.user_nid = (SELECT user_nid FROM user_ids WHERE user_id = :userId) AND l.membership = 'join')))
     LIMIT :limit`,
  scans: ['matching', 'm', 'wanted'],
});

/** How far the directory is; undefined before it was built for the first time. */
export function findProgress(db: ReadDb): Promise<DirectoryProgress | undefined> {
  return db.find(readDirectoryProgress, {});
}

/** What may have changed the directory with `from < position <= to`, ascending, at most `limit`. */
export function readDirectoryChanges(
  db: ReadDb,
  from: number,
  to: number,
  limit: number,
): Promise<readonly DirectoryChange[]> {
  return db.all(readChangesInRange, { from, to, limit });
}

/** Users in a room whose place in the state has a number above `after`, ascending. */
export function readMembersAfter(
  db: ReadDb,
  roomId: string,
  after: number,
  limit: number,
): Promise<readonly DirectoryMember[]> {
  return db.all(readMemberPage, { roomId, after, limit });
}

/** A user in a room; undefined when they are not in it. */
export function findDirectoryMember(
  db: ReadDb,
  roomId: string,
  userId: string,
): Promise<DirectoryMember | undefined> {
  return db.find(findMember, { roomId, userId });
}

/** The room with the lowest number above `after`. */
export function findRoomAfter(
  db: ReadDb,
  after: number,
): Promise<{ readonly roomNid: number; readonly roomId: string } | undefined> {
  return db.find(findNextRoom, { after });
}

function textOf(json: string | null): string | null {
  const value: unknown = json === null ? null : JSON.parse(json);
  return typeof value === 'string' && value !== '' ? value : null;
}

/** A local user, and whether the directory shows them as they are. */
export type DirectoryAccount = DirectoryUser & { readonly isShown: boolean };

/** Local users with `after < user id <= upTo`, ascending. */
export async function readDirectoryAccounts(
  db: ReadDb,
  after: string,
  upTo: string,
  limit: number,
): Promise<readonly DirectoryAccount[]> {
  const rows = await db.all(readAccountPage, { after, upTo, limit });
  return rows.map((row) => {
    const [displayName, avatarUrl] = [textOf(row.displayname), textOf(row.avatar)];
    const isSame = row.shownName === displayName && row.shownAvatar === avatarUrl;
    return { userId: row.userId, displayName, avatarUrl, isShown: row.directoryNid !== null && isSame };
  });
}

/** Words that are looked at for one search. */
const LOOK_AT_MAX = 2_000;

/**
 * Users in whose user id or display name each of the words begins some word, and whom a local user may find. Nobody finds who is locked or
 * deactivated.
 *
 * @param words as searches compare them, at least one
 * @param searchAll also users of this server that share nothing with who searches
 */
export function searchDirectory(
  db: ReadDb,
  userId: string,
  words: readonly [string, ...string[]],
  searchAll: boolean,
  limit: number,
): Promise<readonly FoundUser[]> {
  // The longest word has the fewest beginnings like it.
  const [first = words[0], ...others] = words.toSorted((one, other) => other.length - one.length);
  return db.all(searchUsers, {
    userId,
    from: first,
    to: `${first}\u{10ffff}`,
    others: JSON.stringify(others),
    searchAll: searchAll ? 1 : 0,
    lookAt: LOOK_AT_MAX,
    limit,
  });
}
