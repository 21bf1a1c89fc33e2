import { setImmediate } from 'node:timers/promises';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { readSessions, type SessionPlace } from '../../../../db/key-backup/reader.ts';
import { sessionText } from './backup-values.ts';

/** Keys that are read before the other requests of the thread get a turn. */
const SESSIONS_PER_TURN = 500;

/**
 * The keys of a backup, read page by page: a backup can be large, and other requests go on meanwhile. A key that changes while it is
 * being read is there as it was, or as it is.
 *
 * @param roomId null for those of all rooms
 * @returns by room id, the members of its `sessions` object as JSON text
 */
export async function readKeyTexts(
  db: ReadDb,
  backupNid: number,
  roomId: string | null,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const texts = new Map<string, string[]>();
  let after: SessionPlace | null = null;
  for (;;) {
    // Each page begins where the one before it has ended.
    const page = await readSessions(db, backupNid, roomId, after, SESSIONS_PER_TURN);
    for (const session of page) {
      const ofRoom = texts.get(session.roomId) ?? [];
      ofRoom.push(`${JSON.stringify(session.sessionId)}:${sessionText(session)}`);
      texts.set(session.roomId, ofRoom);
      after = session;
    }
    if (page.length < SESSIONS_PER_TURN) return texts;
    await setImmediate();
  }
}
