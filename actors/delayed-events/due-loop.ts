import { findNextDueTs, readDueIds, readSentWithoutNote } from '../../db/delayed-events/reader.ts';
import type { Timer } from '../../src/kit/clock.ts';
import type { TroupeContext } from '../environment.ts';
import type { Delivery, Occasion } from './deliver-event.ts';

/** Events that are on their way at one time. */
export const DUE_BATCH_MAX = 50;
/** When those that could not be sent now are tried again, in milliseconds. */
export const DUE_RETRY_MS = 1_000;
/** The longest sleep, in milliseconds: whatever the machine's clock has done meanwhile, nothing is much later. MSC4140 allows 30 s. */
export const SLEEP_MAX_MS = 30_000;

/** Sends what is due, when it is due. */
export interface DueLoop {
  /** Something is to be sent at this time (milliseconds since the Unix epoch). */
  expect(dueTs: number): void;
}

/**
 * Starts with what an earlier life has left: first the notes that are missing, then what is overdue, the longest overdue first. There is one
 * timer, for the next event of all; when it turns out that nothing is due yet, it is set again.
 */
export function startDueLoop(
  context: TroupeContext,
  deliver: (delayId: string, occasion: Occasion) => Promise<Delivery>,
): DueLoop {
  const { clock, env } = context;
  let timer: Timer | null = null;
  let wakeTs = Infinity;
  let isRunning = false;
  let isNoted = false;

  function sleepUntil(ts: number): void {
    if (context.ended.aborted || (timer !== null && wakeTs <= ts)) return;
    if (timer !== null) clock.cancel(timer);
    wakeTs = ts;
    timer = clock.after(Math.min(Math.max(0, ts - clock.now()), SLEEP_MAX_MS), wake);
  }

  async function readBatch(): Promise<{ readonly ids: readonly string[]; readonly occasion: Occasion }> {
    const unnoted = isNoted ? [] : await readSentWithoutNote(env.db, DUE_BATCH_MAX);
    if (unnoted.length > 0) return { ids: unnoted, occasion: 'noted' };
    isNoted = true;
    return { ids: await readDueIds(env.db, clock.now(), DUE_BATCH_MAX), occasion: 'delay' };
  }

  /** @returns when to look again, in milliseconds since the Unix epoch; undefined when nothing is scheduled */
  async function sendDue(): Promise<number | undefined> {
    while (!context.ended.aborted) {
      const { ids, occasion } = await readBatch();
      if (ids.length === 0) return findNextDueTs(env.db);
      // Those of one room get there in this order, and it handles them in that.
      const outcomes = await Promise.all(ids.map((delayId) => deliver(delayId, occasion)));
      if (outcomes.some(({ kind }) => kind === 'later')) return clock.now() + DUE_RETRY_MS;
      if (outcomes.some(({ kind }) => kind !== 'sent')) isNoted = true;
    }
    return undefined;
  }

  async function run(): Promise<void> {
    isRunning = true;
    const ts = await sendDue();
    isRunning = false;
    if (ts !== undefined) sleepUntil(ts);
  }

  function wake(): void {
    timer = null;
    wakeTs = Infinity;
    if (isRunning) return;
    run().catch((error: unknown) => {
      // An actor that has ended can ask nobody any more; the next life goes on.
      if (!context.ended.aborted) context.crash(error);
    });
  }

  context.ended.addEventListener('abort', () => {
    if (timer !== null) clock.cancel(timer);
  });
  sleepUntil(clock.now());
  return { expect: sleepUntil };
}
