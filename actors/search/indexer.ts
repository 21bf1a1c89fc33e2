import type { ReadDb } from '../../db/kit/read-db.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { readEvents } from '../../db/rooms/event-reader.ts';
import { type EventsRow, readEventRows } from '../../db/rooms/stream-reader.ts';
import {
  findIndexedRoom,
  readEntriesOfRoom,
  readNumbersOfEvents,
  readProgress,
  readRoomNids,
} from '../../db/search/index-reader.ts';
import { forgetEvents, forgetRoom, indexEvent, noteProgress, noteRoom } from '../../db/search/writer.ts';
import { type Clock, standBack } from '../../src/kit/clock.ts';
import { SEARCHED_TYPES, searchTextOf } from './search-text.ts';

/** Rows of the events stream that are indexed in one write: what waits for the store meanwhile waits for no more than these. */
export const ROWS_PER_WRITE_MAX = 100;
/** Entries of a purged or deleted room that are looked at in one write. */
export const ENTRIES_PER_WRITE_MAX = 500;

/** What the index is made with. */
export interface IndexerParts {
  readonly db: ReadDb;
  /** @returns false when storage cannot be written now: nothing of it was written */
  readonly write: (steps: readonly WriteStep[]) => Promise<boolean>;
  /** True when nothing is to be begun any more. */
  readonly isEnded: () => boolean;
  readonly clock: Clock;
}

/** Lets the index follow the events stream. */
export interface Indexer {
  /**
   * Indexes up to where the stream is now, a few rows at a time.
   *
   * @param isUrgent somebody waits for it; otherwise it stands back for those who send
   * @returns how far the index has come: less than that when storage cannot be written, or the life of the actor ends
   */
  run(isUrgent: boolean): Promise<number>;
}

type RoomRow = Extract<EventsRow, { readonly kind: 'room' }>;

interface Page {
  readonly rows: readonly EventsRow[];
  readonly to: number;
  /** The change of a whole room that comes next. */
  readonly change: RoomRow | null;
}

/** The rows up to the first that takes what is indexed already from the index. */
async function readRows(db: ReadDb, from: number, to: number): Promise<Page> {
  const page = await readEventRows(db, from, to, ROWS_PER_WRITE_MAX);
  const at = page.rows.findIndex(({ row }) => row.kind === 'room' && isEnding(row));
  const found = page.rows[at];
  if (found?.row.kind !== 'room') return { rows: page.rows.map(({ row }) => row), to: page.to, change: null };
  const before = page.rows.slice(0, at).map(({ row }) => row);
  return { rows: before, to: found.position, change: found.row };
}

function isEnding({ change }: RoomRow): boolean {
  return change === 'purged' || change === 'deleted' || change === 'completed';
}

/** The steps that index what is said in rows, and take out what they redact. */
async function stepsOf(db: ReadDb, rows: readonly EventsRow[]): Promise<readonly WriteStep[]> {
  const events = rows.filter((row) => row.kind === 'event');
  const searched = events.filter(({ type }) => SEARCHED_TYPES.has(type));
  const stored = await readEvents(
    db,
    searched.map(({ eventId }) => eventId),
  );
  const roomIds = JSON.stringify([...new Set(searched.map(({ roomId }) => roomId))]);
  const rooms = searched.length === 0 ? [] : await db.all(readRoomNids, { roomIds });
  const roomNids = new Map(rooms.map(({ roomId, roomNid }) => [roomId, roomNid]));
  const steps = rooms.map(({ roomNid, roomId }) => noteRoom(roomNid, roomId));
  for (const { eventId, roomId } of searched) {
    const event = stored.get(eventId);
    const roomNid = roomNids.get(roomId);
    // What was redacted or deleted since is told of by a later row.
    if (event === undefined || roomNid === undefined || event.redactedBy !== null) continue;
    const words = searchTextOf(event);
    if (words !== undefined)
      steps.push(...indexEvent({ eventNid: event.eventNid, roomNid, roomId, ...words }));
  }
  const redacted = events.map(({ redacts }) => redacts).filter((eventId) => eventId !== null);
  if (redacted.length === 0) return steps;
  const numbers = await db.all(readNumbersOfEvents, { eventIds: JSON.stringify(redacted) });
  return [...steps, ...forgetEvents(numbers.map(({ eventNid }) => eventNid))];
}

/** Takes out what a purge or a deletion has taken. False when storage cannot be written. */
async function forgetGone({ db, write, isEnded }: IndexerParts, row: RoomRow): Promise<boolean> {
  const room = await db.find(findIndexedRoom, { roomId: row.roomId });
  if (room === undefined) return true;
  let after = 0;
  for (;;) {
    if (isEnded()) return false;
    const params = { roomNid: room.roomNid, after, limit: ENTRIES_PER_WRITE_MAX };
    const page = await db.all(readEntriesOfRoom, params);
    const gone = page.filter(({ isShown }) => isShown === 0 || row.change === 'deleted');
    const isLast = page.length < ENTRIES_PER_WRITE_MAX;
    const steps = forgetEvents(gone.map(({ eventNid }) => eventNid));
    if (isLast && row.change === 'deleted') steps.push(forgetRoom(row.roomId));
    if (steps.length > 0 && !(await write(steps))) return false;
    if (isLast) return true;
    after = page[page.length - 1]?.eventNid ?? after;
  }
}

/** Makes the indexer of one life of the actor. At most one `run` is under way at a time. */
export function createIndexer(parts: IndexerParts): Indexer {
  const { db, write, isEnded, clock } = parts;
  return {
    async run(isUrgent) {
      const progress = await readProgress(db);
      let { indexedUpTo } = progress;
      while (indexedUpTo < progress.position && !isEnded()) {
        const startedAt = clock.monotonic();
        const { rows, to, change } = await readRows(db, indexedUpTo, progress.position);
        const steps = await stepsOf(db, rows);
        if (change !== null && !(await write(steps))) break;
        if (change !== null && !(await forgetGone(parts, change))) break;
        if (!(await write([...(change === null ? steps : []), noteProgress(to)]))) break;
        indexedUpTo = to;
        if (!isUrgent) await standBack(clock, clock.monotonic() - startedAt);
      }
      return indexedUpTo;
    },
  };
}
