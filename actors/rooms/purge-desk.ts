import type { ReadDb } from '../../db/kit/read-db.ts';
import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { readFreePages } from '../../db/rooms/purge-reader.ts';
import type { Config } from '../../src/config/config.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { Purged } from './protocol.ts';
import type { RoomWork } from './room-work.ts';
import type { RoomsDesk } from './rooms-desk.ts';

/**
 * Rows that one write set of a purge changes, about: a few milliseconds. Between two sets everybody else writes.
 */
export const ROWS_PER_SLICE_MAX = 500;
/** Rows that are read in one turn where nothing is written. */
export const ROWS_PER_READ_MAX = 1_000;

/** What purging needs beside the desk. */
export interface PurgeDesk extends RoomsDesk {
  readonly work: RoomWork;
  readonly config: Pick<Config, 'server'>;
  /** The last position of the events stream that is committed. */
  readonly position: () => number;
  /** A write that advances no stream. */
  readonly write: (steps: readonly WriteStep[]) => Promise<WriteOutcome>;
}

/** What was deleted so far. */
export interface PurgeTally {
  events: number;
  stateGroups: number;
  freedBytes: number;
}

/** Commits the steps of a slice within its turn: what comes after it in the room finds them done. */
export async function commitSlice(
  desk: PurgeDesk,
  steps: readonly WriteStep[],
): Promise<Refusal | undefined> {
  if (steps.length === 0) return undefined;
  const outcome = await desk.write(steps);
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, desk.config);
  if (outcome.kind === 'refused') throw new Error(`a purge has no guard, yet ${outcome.refusal}`);
  return undefined;
}

/**
 * Runs slices, each in a turn of its own of the room and after all that was staged of it is decided, until one says that there is no more.
 *
 * @param slice gives true while there may be more
 */
export async function runSlices(
  desk: PurgeDesk,
  roomId: string,
  slice: () => Promise<boolean | Refusal>,
): Promise<Refusal | undefined> {
  for (;;) {
    const more = await desk.work.inTurn(roomId, async () => {
      await desk.settled(roomId);
      return slice();
    });
    if (typeof more !== 'boolean') return more;
    if (!more) return undefined;
  }
}

/** Runs one slice, and gives what it gives. */
export function runSlice<T>(desk: PurgeDesk, roomId: string, slice: () => Promise<T>): Promise<T | Refusal> {
  return desk.work.inTurn(roomId, async () => {
    await desk.settled(roomId);
    return slice();
  });
}

/** Runs phases one after another until one is refused. */
export async function runPhases(
  phases: readonly (() => Promise<Refusal | undefined>)[],
): Promise<Refusal | undefined> {
  for (const phase of phases) {
    const refusal = await phase();
    if (refusal !== undefined && isRefusal(refusal)) return refusal;
  }
  return undefined;
}

/** How large the file is, and how much of it is free. */
export async function readFile(
  db: ReadDb,
): Promise<{ readonly freePages: number; readonly pageBytes: number; readonly fileBytes: number }> {
  const { freePages, pages, pageBytes } = await db.get(readFreePages, {});
  return { freePages, pageBytes, fileBytes: pages * pageBytes };
}

/** What a purge or a deletion answers with. */
export async function toPurged(
  db: ReadDb,
  tally: PurgeTally,
  freePagesBefore: number,
  position: number,
): Promise<Purged> {
  const { freePages, pageBytes, fileBytes } = await readFile(db);
  return {
    kind: 'purged',
    ...tally,
    freedPages: Math.max(0, freePages - freePagesBefore),
    pageBytes,
    fileBytes,
    position,
  };
}
