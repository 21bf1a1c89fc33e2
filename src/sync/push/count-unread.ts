import { readCountedNotifications } from '../../../db/push/count-reader.ts';
import { findPushProgress } from '../../../db/push/event-reader.ts';
import { readTimelineEntries, type TimelineEntry } from '../../../db/rooms/sync-reader.ts';
import type { JsonObject } from '../../kit/json.ts';
import { type ClientEvent, clientEventsCache } from '../caches/client-events.ts';
import { redactionsCache, type UnreadThread, unreadCountsCache, unreadKey } from '../caches/unread-counts.ts';
import { evaluateForUser } from './evaluate-event.ts';
import type { PushServices } from './event-facts.ts';
import { loadReadMarks, type ReadMarks } from './read-marks.ts';
import { findThreadId } from './thread-of-event.ts';

/** Notifications that are looked at for one count: a room that was not read for longer shows what the newest of them give. */
export const UNREAD_LOOK_AT_MAX = 10_000;
/** Events that are evaluated for one count because the owner of notifications has not come to them yet. */
export const UNEVALUATED_LOOK_AT_MAX = 100;

const NONE: UnreadThread = { count: 0, highlights: 0 };

/** Whose count it is, and of which room. */
export interface UnreadQuestion {
  readonly roomId: string;
  readonly userId: string;
  /** When the user joined, on the events stream. */
  readonly joinedAt: number;
  /** Events up to here count. */
  readonly to: number;
  /** In place of {@link readTimelineEntries}, where others ask for the same. */
  readonly readEntries?: (
    roomId: string,
    from: number,
    to: number,
    limit: number,
  ) => Promise<readonly TimelineEntry[]>;
}

type Threads = Map<string, UnreadThread>;

function addTo(threads: Threads, threadId: string, isHighlight: boolean): void {
  const { count, highlights } = threads.get(threadId) ?? NONE;
  threads.set(threadId, { count: count + 1, highlights: highlights + (isHighlight ? 1 : 0) });
}

interface StoredCount {
  readonly question: UnreadQuestion;
  readonly marks: ReadMarks;
  /** What was counted before, up to `from`. */
  readonly before: ReadonlyMap<string, UnreadThread>;
  readonly from: number;
  readonly to: number;
}

/** Adds what is stored in (from, to] to what was counted before, without the threads that were read since. */
async function countStored({ db }: PushServices, stored: StoredCount): Promise<Threads> {
  const { question, marks, before, from, to } = stored;
  const { roomId, userId } = question;
  const threads: Threads = new Map([...before].filter(([threadId]) => marks.upTo(threadId) <= from));
  if (from >= to) return threads;
  const range = { roomId, userId, from, to, limit: UNREAD_LOOK_AT_MAX };
  for (const { place, threadId, isHighlight } of await readCountedNotifications(db, range))
    if (place > marks.upTo(threadId)) addTo(threads, threadId, isHighlight === 1);
  return threads;
}

function toPushEvent(event: ClientEvent): JsonObject {
  const { type, sender, content, roomId, eventId, stateKey, originServerTs } = event;
  const place = stateKey === null ? {} : { state_key: stateKey };
  return {
    type,
    sender,
    content,
    room_id: roomId,
    event_id: eventId,
    origin_server_ts: originServerTs,
    ...place,
  };
}

/** Adds the events after what is evaluated: few, and only for a moment. */
async function countUnevaluated(
  services: PushServices,
  question: UnreadQuestion,
  { threads, marks, from }: { readonly threads: Threads; readonly marks: ReadMarks; readonly from: number },
): Promise<void> {
  const { roomId, userId, to } = question;
  const read = question.readEntries ?? ((...range) => readTimelineEntries(services.db, ...range));
  const entries = await read(roomId, from, to, UNEVALUATED_LOOK_AT_MAX);
  for (const { eventId, position } of entries.toReversed()) {
    const event = await services.cached.get(clientEventsCache, eventId);
    if (event === null || event.isHidden || event.redactedBy !== null) continue;
    const pushEvent = toPushEvent(event);
    const threadId = await findThreadId(services, roomId, pushEvent);
    if (event.sender === userId) threads.delete(threadId);
    if (event.sender === userId || position <= marks.upTo(threadId)) continue;
    const outcome = await evaluateForUser(services, { roomId, threadId }, pushEvent, userId);
    if (outcome !== null) addTo(threads, threadId, outcome.highlight);
  }
}

/**
 * What a user has not read in a room, by thread, as of a position of the events stream: what is stored up to where events are evaluated, and
 * what the rules say of the events after that. Redacted events do not count.
 * Client-Server API v1.19, "Receiving notifications", "Unread notification counts".
 */
export async function countUnread(
  services: PushServices,
  question: UnreadQuestion,
): Promise<ReadonlyMap<string, UnreadThread>> {
  const { db, cached } = services;
  const { roomId, userId, joinedAt, to } = question;
  const running = await cached.get(unreadCountsCache, unreadKey(roomId, userId));
  const redactions = await cached.get(redactionsCache, roomId);
  if (running.redactions !== redactions)
    Object.assign(running, { countedTo: null, threads: new Map(), redactions });
  // In this order: marks that are newer than the progress only say that more is read.
  const evaluatedTo = Math.min((await findPushProgress(db)) ?? to, to);
  const marks = await loadReadMarks(db, roomId, userId, joinedAt);
  const { countedTo } = running;
  const goesOn = countedTo !== null && countedTo <= evaluatedTo;
  const threads = await countStored(services, {
    question,
    marks,
    before: goesOn ? running.threads : new Map(),
    from: goesOn ? countedTo : joinedAt,
    to: evaluatedTo,
  });
  // Another count of the same may have come further meanwhile: then that one stands.
  if (running.countedTo === countedTo && running.redactions === redactions && (goesOn || countedTo === null))
    Object.assign(running, { countedTo: evaluatedTo, threads: new Map(threads) });
  if (evaluatedTo < to) {
    const from = Math.max(evaluatedTo, joinedAt);
    await countUnevaluated(services, question, { threads, marks, from });
  }
  return threads;
}
