import type { Static } from 'typebox';
import type { KeyBackupProtocol } from '../../../../actors/key-backup/protocol.ts';
import type { ActorRef } from '../../../../actors/kit/ref.ts';
import { ID_BYTES_MAX, type NewSession } from '../../../../db/key-backup/session.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import {
  type ALL_SESSIONS,
  parseVersion,
  type STANDING,
  standingBody,
  UNKNOWN_VERSION,
} from './backup-values.ts';

/** The largest body with keys, in bytes: ten thousand keys, and more than clients send at once. */
export const KEYS_BODY_BYTES_MAX = 16_777_216;
/** Keys that one request may store. */
const SESSIONS_PER_REQUEST_MAX = 20_000;
/** The largest `session_data`, in bytes: an exported session, encrypted, has less than one thousand. */
const SESSION_DATA_BYTES_MAX = 65_536;

type Rooms = Static<typeof ALL_SESSIONS>['rooms'];

function isId(text: string): boolean {
  const isShort = text !== '' && Buffer.byteLength(text) <= ID_BYTES_MAX;
  return isShort && text.isWellFormed() && !text.includes('\0');
}

/** The sessions of a request, one after another. Refused with M_INVALID_PARAM, M_TOO_LARGE. */
function sessionsOf(rooms: Rooms): readonly NewSession[] | Refusal {
  const sessions: NewSession[] = [];
  for (const [roomId, room] of Object.entries(rooms))
    for (const [sessionId, session] of Object.entries(room.sessions)) {
      if (!isId(roomId) || !isId(sessionId))
        return refuse('M_INVALID_PARAM', `sessions: an id has 1 to ${ID_BYTES_MAX} bytes`);
      const sessionData = JSON.stringify(session.session_data);
      if (Buffer.byteLength(sessionData) > SESSION_DATA_BYTES_MAX)
        return refuse('M_TOO_LARGE', `session_data: at most ${SESSION_DATA_BYTES_MAX} bytes`);
      if (sessions.length === SESSIONS_PER_REQUEST_MAX)
        return refuse('M_TOO_LARGE', `sessions: at most ${SESSIONS_PER_REQUEST_MAX} in one request`);
      sessions.push({
        roomId,
        sessionId,
        firstMessageIndex: session.first_message_index,
        forwardedCount: session.forwarded_count,
        isVerified: session.is_verified,
        sessionData,
      });
    }
  return sessions;
}

/** Stores the keys of a request in the version that it names. */
export async function storeKeys(
  keyBackup: ActorRef<KeyBackupProtocol>,
  userId: string,
  versionText: string,
  rooms: Rooms,
): Promise<Static<typeof STANDING> | Refusal> {
  const version = parseVersion(versionText);
  if (version === undefined) return UNKNOWN_VERSION;
  const sessions = sessionsOf(rooms);
  if (isRefusal(sessions)) return sessions;
  const changed = await keyBackup.ask('key-backup.store-sessions', { userId, version, sessions });
  return isRefusal(changed) ? changed : standingBody(changed);
}
