import { Type, type Static } from 'typebox';
import type { KeyBackupProtocol, SessionsChanged } from '../../../../actors/key-backup/protocol.ts';
import type { ActorRef } from '../../../../actors/kit/ref.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { findBackup, type StoredBackup, type StoredSession } from '../../../../db/key-backup/reader.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { JsonText } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

const COUNT = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** The key of one session. Client-Server API v1.19, "Server-side key backups". */
export const SESSION = Type.Object({
  first_message_index: COUNT,
  forwarded_count: COUNT,
  is_verified: Type.Boolean(),
  session_data: ANY_OBJECT,
});

/** The keys of one room, by session id. */
export const ROOM_SESSIONS = Type.Object({ sessions: Type.Record(Type.String(), SESSION) });

/** The keys of all rooms, by room id. */
export const ALL_SESSIONS = Type.Object({ rooms: Type.Record(Type.String(), ROOM_SESSIONS) });

/** The query string of everything about keys. */
export const VERSION_QUERY = Type.Object({ version: Type.String() });

/** What follows a change of keys. */
export const STANDING = Type.Object({ etag: Type.String(), count: Type.Integer() });

/** The body of a version. */
export const VERSION_BODY = Type.Object({
  algorithm: Type.String({ minLength: 1, maxLength: 255 }),
  auth_data: ANY_OBJECT,
  version: Type.Optional(Type.String()),
});

/** A version, as clients see it. */
export const VERSION_REPLY = Type.Object({
  algorithm: Type.String(),
  auth_data: ANY_OBJECT,
  count: Type.Integer(),
  etag: Type.String(),
  version: Type.String(),
});

/** The largest `auth_data`, in bytes: a public key with signatures of devices. */
const AUTH_DATA_BYTES_MAX = 65_536;

/** Refused like this, whether it never was, is deleted, or cannot be a version. */
export const UNKNOWN_VERSION: Refusal = refuse('M_NOT_FOUND', 'Unknown backup version.');

/** What a version's text says; undefined for a text that no version ever had. */
export function parseVersion(text: string): number | undefined {
  return /^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : undefined;
}

/** The text of `auth_data`. Refused with M_TOO_LARGE. */
export function authDataText(body: Static<typeof VERSION_BODY>): string | Refusal {
  const text = JSON.stringify(body.auth_data);
  return Buffer.byteLength(text) > AUTH_DATA_BYTES_MAX
    ? refuse('M_TOO_LARGE', `auth_data: at most ${AUTH_DATA_BYTES_MAX} bytes`)
    : text;
}

/** A version that a client names. Refused with M_NOT_FOUND. */
export async function findNamedBackup(
  db: ReadDb,
  userId: string,
  versionText: string,
): Promise<StoredBackup | Refusal> {
  const version = parseVersion(versionText);
  const found = version === undefined ? undefined : await findBackup(db, userId, version);
  return found ?? UNKNOWN_VERSION;
}

/** A version as a client gets it. */
export function backupText({ algorithm, authData, keyCount, etag, version }: StoredBackup): JsonText {
  const known = JSON.stringify({ algorithm, count: keyCount, etag: String(etag), version: String(version) });
  return new JsonText(`${known.slice(0, -1)},"auth_data":${authData}}`);
}

/** The key of one session as a client gets it. */
export function sessionText(session: StoredSession): string {
  const { firstMessageIndex, forwardedCount, isVerified, sessionData } = session;
  return `{"first_message_index":${firstMessageIndex},"forwarded_count":${forwardedCount},"is_verified":${isVerified === 1},"session_data":${sessionData}}`;
}

/** How a backup stands, as a client gets it. */
export function standingBody({ etag, count }: SessionsChanged): Static<typeof STANDING> {
  return { etag: String(etag), count };
}

/** Deletes keys: of a session, of a room, or all. */
export async function deleteKeys(
  keyBackup: ActorRef<KeyBackupProtocol>,
  userId: string,
  versionText: string,
  target: { readonly roomId: string | null; readonly sessionId: string | null },
): Promise<Static<typeof STANDING> | Refusal> {
  const version = parseVersion(versionText);
  if (version === undefined) return UNKNOWN_VERSION;
  const changed = await keyBackup.ask('key-backup.delete-sessions', { userId, version, ...target });
  return isRefusal(changed) ? changed : standingBody(changed);
}
