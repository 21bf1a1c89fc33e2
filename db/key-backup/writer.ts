import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import type { NewSession } from './session.ts';

type OneUser = { readonly userId: string };
type OneVersion = OneUser & { readonly version: number };

/** Versions that one user may have at a time. Clients delete the old ones when they make a new one. */
export const VERSIONS_MAX = 100;
/** Keys that one version may hold. */
export const SESSIONS_MAX = 250_000;
/** What the keys of one version may take together, in bytes: they are answered as one text. */
export const SESSIONS_BYTES_MAX = 268_435_456;

/** The refusals of the guards below. */
export type KeyBackupGuard = 'too-many-versions' | 'not-current' | 'not-found' | 'too-large';

/** How a version stands after a change of its keys. */
export interface BackupStanding {
  readonly etag: number;
  readonly count: number;
}

export const countVersions = defineQuery<OneUser & { readonly most: number }, { readonly count: number }>({
  name: 'key-backup.find-excess-of-versions',
  sql: 'SELECT count(*) AS count FROM key_backups WHERE user_id = :userId HAVING count(*) > :most',
});

export const raiseVersion = defineQuery<OneUser>({
  name: 'key-backup.raise-version',
  sql: `
    INSERT INTO key_backup_versions (user_id, version) VALUES (:userId, 1)
    ON CONFLICT (user_id) DO UPDATE SET version = version + 1`,
});

export const insertBackup = defineQuery<
  OneUser & { readonly algorithm: string; readonly authData: string },
  { readonly version: number }
>({
  name: 'key-backup.insert-version',
  sql: `
    INSERT INTO key_backups (user_id, version, algorithm, auth_data, etag, key_count, size_bytes)
    SELECT user_id, version, :algorithm, :authData, 0, 0, 0
      FROM key_backup_versions WHERE user_id = :userId
    RETURNING version`,
});

/** The step of {@link createVersion} whose returned row holds the `version`. */
export const VERSION_STEP = 1;

/** The steps that make a version, the next of its user. Guard: `too-many-versions`. */
export function createVersion(userId: string, algorithm: string, authData: string): WriteStep[] {
  const refusal: KeyBackupGuard = 'too-many-versions';
  return [
    step(raiseVersion, { userId }),
    step(insertBackup, { userId, algorithm, authData }, { returns: true }),
    step(countVersions, { userId, most: VERSIONS_MAX }, { expectChanges: 0, refusal }),
  ];
}

export const updateAuthData = defineQuery<OneVersion & { readonly authData: string }>({
  name: 'key-backup.update-auth-data',
  sql: 'UPDATE key_backups SET auth_data = :authData WHERE user_id = :userId AND version = :version',
});

/** The step that replaces the data of a version. Guard: `not-found`. */
export function updateVersion(userId: string, version: number, authData: string): WriteStep[] {
  const refusal: KeyBackupGuard = 'not-found';
  return [step(updateAuthData, { userId, version, authData }, { expectChanges: 1, refusal })];
}

/** The keys of a version are nobody's from now on. */
export const leaveKeys = defineQuery<OneVersion>({
  name: 'key-backup.leave-keys',
  sql: `
    INSERT INTO key_backup_leftovers (backup_nid)
    SELECT backup_nid FROM key_backups WHERE user_id = :userId AND version = :version`,
});

export const deleteBackup = defineQuery<OneVersion>({
  name: 'key-backup.delete-version',
  sql: 'DELETE FROM key_backups WHERE user_id = :userId AND version = :version',
});

/** The steps that delete a version; its keys are left over. Guard: `not-found`. */
export function deleteVersion(userId: string, version: number): WriteStep[] {
  const refusal: KeyBackupGuard = 'not-found';
  return [
    step(leaveKeys, { userId, version }, { expectChanges: 1, refusal }),
    step(deleteBackup, { userId, version }),
  ];
}

export const leaveKeysOfUser = defineQuery<OneUser>({
  name: 'key-backup.leave-keys-of-user',
  sql: `
    INSERT INTO key_backup_leftovers (backup_nid)
    SELECT backup_nid FROM key_backups WHERE user_id = :userId`,
});

export const deleteBackupsOfUser = defineQuery<OneUser>({
  name: 'key-backup.delete-versions-of-user',
  sql: 'DELETE FROM key_backups WHERE user_id = :userId',
});

export const deleteHighestVersion = defineQuery<OneUser>({
  name: 'key-backup.delete-highest-version',
  sql: 'DELETE FROM key_backup_versions WHERE user_id = :userId',
});

/** The steps that delete all versions of a user who never comes back; their keys are left over. */
export function forgetUser(userId: string): WriteStep[] {
  return [leaveKeysOfUser, deleteBackupsOfUser, deleteHighestVersion].map((query) => step(query, { userId }));
}

/** A version without keys in the place of the same one, whose keys another query has left. */
export const replaceByEmpty = defineQuery<OneVersion>({
  name: 'key-backup.replace-by-empty',
  sql: `
    INSERT OR REPLACE INTO key_backups (user_id, version, algorithm, auth_data, etag, key_count, size_bytes)
    SELECT user_id, version, algorithm, auth_data, etag + (key_count > 0), 0, 0
      FROM key_backups WHERE user_id = :userId AND version = :version`,
});

export const standing = defineQuery<OneVersion, BackupStanding>({
  name: 'key-backup.read-standing',
  sql: 'SELECT etag, key_count AS count FROM key_backups WHERE user_id = :userId AND version = :version',
});

/** The step of {@link deleteAllSessions} that gives the {@link BackupStanding}. */
export const EMPTIED_STANDING_STEP = 2;

/** The steps that take all keys of a version at once; the last one gives its {@link BackupStanding}. Guard: `not-found`. */
export function deleteAllSessions(userId: string, version: number): WriteStep[] {
  const refusal: KeyBackupGuard = 'not-found';
  return [
    step(leaveKeys, { userId, version }, { expectChanges: 1, refusal }),
    step(replaceByEmpty, { userId, version }),
    step(standing, { userId, version }, { returns: true }),
  ];
}

/** No id comes after it: it has the highest character there is throughout, and one byte more than any id. */
const AFTER_ALL_IDS = '\u{10FFFF}'.repeat(64);

/** Keys of one room of a version, of sessions from `first` to `last`. */
type SomeSessions = OneVersion & {
  readonly roomId: string;
  readonly first: string;
  readonly last: string;
  readonly limit: number;
};

const SOME_SESSIONS = `
  FROM key_backups b
  CROSS JOIN key_backup_sessions s
     ON s.backup_nid = b.backup_nid AND s.room_id = :roomId AND s.session_id BETWEEN :first AND :last
 WHERE b.user_id = :userId AND b.version = :version
 ORDER BY s.session_id LIMIT :limit`;

/** Takes keys that will be deleted out of the figures of their version. */
export const discountSessions = defineQuery<SomeSessions>({
  name: 'key-backup.discount-sessions',
  sql: `
    UPDATE key_backups
       SET etag = etag + 1, key_count = key_count - gone.keys, size_bytes = size_bytes - gone.bytes
      FROM (SELECT count(*) AS keys, sum(bytes) AS bytes
              FROM (SELECT octet_length(s.session_data) AS bytes ${SOME_SESSIONS})) gone
     WHERE user_id = :userId AND version = :version AND gone.keys > 0`,
});

export const deleteSessions = defineQuery<SomeSessions, { readonly sessionId: string }>({
  name: 'key-backup.delete-sessions',
  sql: `
    DELETE FROM key_backup_sessions
     WHERE (backup_nid, room_id, session_id) IN (SELECT s.backup_nid, s.room_id, s.session_id ${SOME_SESSIONS})
    RETURNING session_id AS sessionId`,
});

/** Steps of {@link deleteSomeSessions} that give rows: a row for each key that is gone, and the standing afterwards. */
export const DELETED_STEP = 1;
export const DELETION_STANDING_STEP = 2;

/**
 * The steps that delete at most `limit` keys of one room. The guard `not-found` is the standing: no row where there is no version.
 *
 * @param sessionId null: of all its sessions
 */
export function deleteSomeSessions(
  target: OneVersion & { readonly roomId: string },
  sessionId: string | null,
  limit: number,
): WriteStep[] {
  const { userId, version, roomId } = target;
  const [first, last] = sessionId === null ? ['', AFTER_ALL_IDS] : [sessionId, sessionId];
  const sessions = { userId, version, roomId, first, last, limit };
  const refusal: KeyBackupGuard = 'not-found';
  return [
    step(discountSessions, sessions),
    step(deleteSessions, sessions, { returns: true }),
    step(standing, { userId, version }, { expectChanges: 1, refusal, returns: true }),
  ];
}

type ManySessions = OneVersion & {
  /** A JSON list of `[roomId, sessionId, firstMessageIndex, forwardedCount, isVerified, sessionData]`. */
  readonly sessions: string;
};

/** Whether a version is the one that is written to. */
export const requireCurrent = defineQuery<OneVersion, { readonly version: number }>({
  name: 'key-backup.require-current-version',
  sql: `
    SELECT version FROM key_backups
     WHERE version = :version
       AND version = (SELECT max(c.version) FROM key_backups c WHERE c.user_id = :userId)
       AND user_id = :userId`,
});

/**
 * Keys that are to be stored beside those that are there. A key takes the place of another when it is verified and the other is not, then
 * when it begins earlier, then when it was forwarded less often. Client-Server API v1.19, "Backup algorithm", "Storing and retrieving keys".
 */
const TAKES_ITS_PLACE = `
  (1 - (n.value ->> 4), n.value ->> 2, n.value ->> 3) < (1 - o.is_verified, o.first_message_index, o.forwarded_count)`;

/** Counts keys that will be stored; changes nothing when all of them stay behind those that are there. */
export const countSessions = defineQuery<ManySessions>({
  name: 'key-backup.count-sessions',
  sql: `
    UPDATE key_backups
       SET etag = etag + 1, key_count = key_count + news.added, size_bytes = size_bytes + news.bytes
      FROM (SELECT count(*) AS changed, sum(o.session_id IS NULL) AS added,
                   sum(octet_length(n.value ->> 5) - coalesce(octet_length(o.session_data), 0)) AS bytes
              FROM json_each(:sessions) n
             CROSS JOIN key_backups b ON b.user_id = :userId AND b.version = :version
              LEFT JOIN key_backup_sessions o
                ON o.backup_nid = b.backup_nid AND o.room_id = n.value ->> 0 AND o.session_id = n.value ->> 1
             WHERE o.session_id IS NULL OR ${TAKES_ITS_PLACE}) news
     WHERE user_id = :userId AND version = :version AND news.changed > 0`,
});

export const upsertSessions = defineQuery<ManySessions>({
  name: 'key-backup.upsert-sessions',
  sql: `
    INSERT INTO key_backup_sessions
           (backup_nid, room_id, session_id, first_message_index, forwarded_count, is_verified, session_data)
    SELECT b.backup_nid, n.value ->> 0, n.value ->> 1, n.value ->> 2, n.value ->> 3, n.value ->> 4, n.value ->> 5
      FROM json_each(:sessions) n
     CROSS JOIN key_backups b ON b.user_id = :userId AND b.version = :version
     WHERE true
    ON CONFLICT (backup_nid, room_id, session_id) DO UPDATE
       SET first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,
           is_verified = excluded.is_verified, session_data = excluded.session_data
     WHERE (1 - excluded.is_verified, excluded.first_message_index, excluded.forwarded_count)
         < (1 - is_verified, first_message_index, forwarded_count)`,
});

export const excessOfSessions = defineQuery<
  OneVersion & { readonly most: number; readonly bytesMax: number },
  { readonly count: number }
>({
  name: 'key-backup.find-excess-of-sessions',
  sql: `
    SELECT key_count AS count FROM key_backups
     WHERE user_id = :userId AND version = :version AND (key_count > :most OR size_bytes > :bytesMax)`,
});

/** The step of {@link storeSessions} that gives the {@link BackupStanding}. */
export const STORED_STANDING_STEP = 4;

/**
 * The steps that store keys in the current version: two statements, however many they are. Guards: `not-current`, `too-large`.
 *
 * @param sessions each session once
 */
export function storeSessions(
  userId: string,
  version: number,
  sessions: readonly NewSession[],
  bounds: { readonly most: number; readonly bytesMax: number },
): WriteStep[] {
  const many = {
    userId,
    version,
    sessions: JSON.stringify(
      sessions.map((session) => [
        session.roomId,
        session.sessionId,
        session.firstMessageIndex,
        session.forwardedCount,
        Number(session.isVerified),
        session.sessionData,
      ]),
    ),
  };
  const notCurrent: KeyBackupGuard = 'not-current';
  const tooLarge: KeyBackupGuard = 'too-large';
  return [
    step(requireCurrent, { userId, version }, { expectChanges: 1, refusal: notCurrent }),
    step(countSessions, many),
    step(upsertSessions, many),
    step(excessOfSessions, { userId, version, ...bounds }, { expectChanges: 0, refusal: tooLarge }),
    step(standing, { userId, version }, { returns: true }),
  ];
}

type Slice = { readonly backupNid: number; readonly limit: number };

/** Some keys that are left over. */
export const deleteLeftKeys = defineQuery<Slice, { readonly sessionId: string }>({
  name: 'key-backup.delete-left-keys',
  sql: `
    DELETE FROM key_backup_sessions
     WHERE (backup_nid, room_id, session_id) IN (
       SELECT backup_nid, room_id, session_id FROM key_backup_sessions WHERE backup_nid = :backupNid LIMIT :limit)
    RETURNING session_id AS sessionId`,
});

/** Nothing is left of it. */
export const deleteLeftover = defineQuery<{ readonly backupNid: number }>({
  name: 'key-backup.delete-leftover',
  sql: `
    DELETE FROM key_backup_leftovers
     WHERE backup_nid = :backupNid
       AND NOT EXISTS (SELECT 1 FROM key_backup_sessions s WHERE s.backup_nid = :backupNid)`,
});

/** The steps that delete at most `limit` keys that are left over, and the note of them with the last one. */
export function sweepLeftover(backupNid: number, limit: number): WriteStep[] {
  return [step(deleteLeftKeys, { backupNid, limit }), step(deleteLeftover, { backupNid })];
}
