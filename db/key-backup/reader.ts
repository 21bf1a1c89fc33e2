import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A version of a user's backup. */
export interface StoredBackup {
  readonly backupNid: number;
  readonly version: number;
  readonly algorithm: string;
  /** JSON text. */
  readonly authData: string;
  readonly etag: number;
  readonly keyCount: number;
}

type OneUser = { readonly userId: string };
type OneVersion = OneUser & { readonly version: number };

const BACKUP_COLUMNS =
  'backup_nid AS backupNid, version, algorithm, auth_data AS authData, etag, key_count AS keyCount';

export const oneBackup = defineQuery<OneVersion, StoredBackup>({
  name: 'key-backup.find-version',
  sql: `SELECT ${BACKUP_COLUMNS} FROM key_backups WHERE user_id = :userId AND version = :version`,
});

/** A version that exists. */
export function findBackup(db: ReadDb, userId: string, version: number): Promise<StoredBackup | undefined> {
  return db.find(oneBackup, { userId, version });
}

export const currentBackup = defineQuery<OneUser, StoredBackup>({
  name: 'key-backup.find-current-version',
  sql: `
    SELECT ${BACKUP_COLUMNS} FROM key_backups
     WHERE user_id = :userId ORDER BY version DESC LIMIT 1`,
});

/** The version that keys are written to: the newest that exists. */
export function findCurrentBackup(db: ReadDb, userId: string): Promise<StoredBackup | undefined> {
  return db.find(currentBackup, { userId });
}

export const highestVersion = defineQuery<OneUser, { readonly version: number }>({
  name: 'key-backup.find-highest-version',
  sql: 'SELECT version FROM key_backup_versions WHERE user_id = :userId',
});

/** The highest version that a user has ever had, deleted ones included; 0 for none. */
export async function readHighestVersion(db: ReadDb, userId: string): Promise<number> {
  return (await db.find(highestVersion, { userId }))?.version ?? 0;
}

/** The key of one session, as it was backed up. */
export interface StoredSession {
  readonly roomId: string;
  readonly sessionId: string;
  readonly firstMessageIndex: number;
  readonly forwardedCount: number;
  /** 0 or 1. */
  readonly isVerified: number;
  /** JSON text. */
  readonly sessionData: string;
}

const SESSION_COLUMNS = `
  room_id AS roomId, session_id AS sessionId, first_message_index AS firstMessageIndex,
  forwarded_count AS forwardedCount, is_verified AS isVerified, session_data AS sessionData`;

type InRoom = { readonly backupNid: number; readonly roomId: string };

export const oneSession = defineQuery<InRoom & { readonly sessionId: string }, StoredSession>({
  name: 'key-backup.find-session',
  sql: `
    SELECT ${SESSION_COLUMNS} FROM key_backup_sessions
     WHERE backup_nid = :backupNid AND room_id = :roomId AND session_id = :sessionId`,
});

/** The key of one session. */
export function findSession(
  db: ReadDb,
  backupNid: number,
  roomId: string,
  sessionId: string,
): Promise<StoredSession | undefined> {
  return db.find(oneSession, { backupNid, roomId, sessionId });
}

type Page = InRoom & { readonly afterSessionId: string; readonly limit: number };

export const sessionsOfRoom = defineQuery<Page, StoredSession>({
  name: 'key-backup.read-sessions-of-room',
  sql: `
    SELECT ${SESSION_COLUMNS} FROM key_backup_sessions
     WHERE backup_nid = :backupNid AND room_id = :roomId AND session_id > :afterSessionId
     ORDER BY session_id LIMIT :limit`,
});

export const allSessions = defineQuery<Page, StoredSession>({
  name: 'key-backup.read-sessions',
  sql: `
    SELECT ${SESSION_COLUMNS} FROM key_backup_sessions
     WHERE backup_nid = :backupNid AND (room_id, session_id) > (:roomId, :afterSessionId)
     ORDER BY room_id, session_id LIMIT :limit`,
});

/** Where a page of sessions begins: after this one. */
export interface SessionPlace {
  readonly roomId: string;
  readonly sessionId: string;
}

/**
 * A page of the keys of a backup, by room and session.
 *
 * @param roomId null for those of all rooms
 * @param after null for the first page
 */
export function readSessions(
  db: ReadDb,
  backupNid: number,
  roomId: string | null,
  after: SessionPlace | null,
  limit: number,
): Promise<StoredSession[]> {
  const afterSessionId = after?.sessionId ?? '';
  return roomId === null
    ? db.all(allSessions, { backupNid, roomId: after?.roomId ?? '', afterSessionId, limit })
    : db.all(sessionsOfRoom, { backupNid, roomId, afterSessionId, limit });
}

export const leftovers = defineQuery<{ readonly limit: number }, { readonly backupNid: number }>({
  name: 'key-backup.read-leftovers',
  sql: 'SELECT backup_nid AS backupNid FROM key_backup_leftovers WHERE backup_nid > 0 ORDER BY backup_nid LIMIT :limit',
});

/** A backup whose keys belong to no version any more; undefined for none. */
export async function findLeftover(db: ReadDb): Promise<number | undefined> {
  return (await db.find(leftovers, { limit: 1 }))?.backupNid;
}
