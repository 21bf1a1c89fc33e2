import { readReadMarks } from '../../../db/push/count-reader.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';

/** Up to where one user has read one room. */
export interface ReadMarks {
  /** On the events stream: the last event of a thread that counts as read. */
  upTo(threadId: string): number;
}

/**
 * Up to where a user has read a room: a receipt without a thread is one for all threads, one for a thread is for that alone, and so is an event
 * of the user's own. What is before the user joined counts as read.
 * Client-Server API v1.19, "Threaded read receipts".
 *
 * @param joinedAt when the user joined, on the events stream
 */
export async function loadReadMarks(
  db: ReadDb,
  roomId: string,
  userId: string,
  joinedAt: number,
): Promise<ReadMarks> {
  let all = joinedAt;
  const byThread = new Map<string, number>();
  for (const { threadId, place } of await readReadMarks(db, { roomId, userId })) {
    if (threadId === '') all = Math.max(all, place);
    else byThread.set(threadId, Math.max(place, byThread.get(threadId) ?? place));
  }
  return { upTo: (threadId) => Math.max(all, byThread.get(threadId) ?? all) };
}
