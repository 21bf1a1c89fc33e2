import { readReceiptsOfRoom, type StoredReceipt } from '../../db/receipts/reader.ts';
import type { JsonObject } from '../kit/json.ts';
import { receiptsStream } from '../streams/receipts-stream.ts';
import { typingStream } from '../streams/typing-stream.ts';
import type { StreamViews } from '../streams/view.ts';
import type { SyncContext } from './sync-context.ts';
import type { SyncRange } from './sync-range.ts';

/** What is typed where, for one answer. */
export interface TypingNews {
  /** The text of the `m.typing` of a room that has news. */
  readonly textOf: ReadonlyMap<string, string>;
  /**
   * The client may still believe what the owner said in a former life, or said long ago. Rooms without news are told that nobody types, with whatever ends the
   * poll; that alone does not end it (STREAMS.md 2.4).
   */
  readonly isStale: boolean;
}

function typingText(userIds: readonly string[]): string {
  return JSON.stringify({ type: 'm.typing', content: { user_ids: userIds } });
}

/**
 * The client may believe that somebody types of whom nobody will ever say otherwise: the owner has begun a new life since, or has forgotten
 * the end.
 */
export function isTypingStale(streams: StreamViews, range: SyncRange): boolean {
  const { name } = typingStream;
  const from = range.from(name);
  return range.hasNewEpoch(name) || (from > 0 && from < streams.forgottenUpTo(name));
}

/**
 * Who types, in rooms where that changed in the range; in a first sync, and in rooms that are new to the client, where somebody types.
 * Client-Server API v1.19, "Typing Notifications".
 */
export function readTyping(context: SyncContext, newlyJoined: ReadonlySet<string>): TypingNews {
  const { range, services } = context;
  const textOf = new Map<string, string>();
  const { name } = typingStream;
  const isFirst = range.isInitial || range.hasNewEpoch(name);
  const from = range.from(name);
  for (const { position, row } of services.streams.memoryRows(
    typingStream,
    newlyJoined.size > 0 ? 0 : from,
  )) {
    if (position > range.to(name)) continue;
    const isNew = newlyJoined.has(row.roomId);
    if (isFirst || isNew ? row.userIds.length === 0 : position <= from) continue;
    textOf.set(row.roomId, typingText(row.userIds));
  }
  return { textOf, isStale: isTypingStale(services.streams, range) };
}

/** The `m.typing` of a room in which nobody types. */
export const NOBODY_TYPES = typingText([]);

type Receipts = Record<string, Record<string, Record<string, JsonObject>>>;

/** The text of an `m.receipt`. Client-Server API v1.19, "Receipts". */
export function receiptsText(receipts: readonly StoredReceipt[]): string {
  const content: Receipts = {};
  for (const { eventId, type, userId, ts, threadId } of receipts) {
    const byType = (content[eventId] ??= {});
    const byUser = (byType[type] ??= {});
    byUser[userId] = threadId === null ? { ts } : { ts, thread_id: threadId };
  }
  return JSON.stringify({ type: 'm.receipt', content });
}

/** The newest receipts of a room that a client is given when it gets the room for the first time. */
export const RECEIPTS_OF_NEW_ROOM_MAX = 2_000;

/** What is new of a room's receipts. */
export interface ReceiptNews {
  /** The text of the `m.receipt`; null when there is nothing. */
  readonly text: string | null;
  /** The caller has read something: the counts are others now. */
  readonly hasOwn: boolean;
}

const NO_RECEIPTS: ReceiptNews = { text: null, hasOwn: false };

/**
 * The `m.receipt` of a room: what changed in the range, or all when the client has nothing of the room. Private receipts only to
 * their own user.
 */
export async function readReceipts(
  context: SyncContext,
  roomId: string,
  isNew: boolean,
): Promise<ReceiptNews> {
  const { range, services, caller } = context;
  const { name } = receiptsStream;
  const from = isNew ? 0 : range.from(name);
  const mayHaveChanged =
    isNew ||
    services.streams.mayHaveChanged(name, `room:${roomId}`, from) ||
    services.streams.mayHaveChanged(name, `user:${caller.userId}`, from);
  if (!mayHaveChanged || from >= range.to(name)) return NO_RECEIPTS;
  const receipts = await readReceiptsOfRoom(services.db, roomId, from, range.to(name));
  const shown = receipts.filter(({ type, userId }) => type !== 'm.read.private' || userId === caller.userId);
  if (shown.length === 0) return NO_RECEIPTS;
  const hasOwn = shown.some(({ userId }) => userId === caller.userId);
  if (shown.length <= RECEIPTS_OF_NEW_ROOM_MAX) return { text: receiptsText(shown), hasOwn };
  const newest = shown.toSorted((one, other) => other.position - one.position);
  return { text: receiptsText(newest.slice(0, RECEIPTS_OF_NEW_ROOM_MAX)), hasOwn };
}
