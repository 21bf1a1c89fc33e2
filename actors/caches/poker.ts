import type { WriteOutcome } from '../../db/kit/write-set.ts';
import { type BackoffPolicy, backoffMs } from '../../src/kit/backoff.ts';
import type { Timer } from '../../src/kit/clock.ts';
import type { CachesRow } from '../../src/streams/caches-stream.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { TroupeContext } from '../environment.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import { createPendingPokes } from './pending-pokes.ts';

/*
 * Figures: stream.caches.invalidations-in (cache entries that changes made untrue), stream.caches.pokes-sent (pokes that told of
 * them), stream.caches.invalidations-per-poke, stream.caches.pokes-unavailable (tries that storage did not take).
 */

/** How many may wait for the position of their facts: beyond it the actor begins anew, which drops everything everywhere. */
const PUBLISHERS_MAX = 10_000;

/** How long to wait before pokes that storage did not take are tried again. */
const STORAGE_BACKOFF: BackoffPolicy = { initialMs: 100, factor: 2, maxMs: 5_000 };

/** Coalesces changes into pokes, and tells them. */
export interface Poker {
  roomChanged(roomId: string, invalidations: number, members: readonly string[]): Promise<void>;
  invalidate(facts: readonly Fact[]): Promise<void>;
  /** Resolves with the position at which the facts are told. */
  publish(facts: readonly Fact[]): Promise<number>;
  flush(): Promise<void>;
}

/** What one write tells, and who waits for its position. */
interface Batch {
  readonly pokes: readonly CachesRow[];
  readonly publishers: readonly ((position: number) => void)[];
}

function pokerFigures({ metrics }: TroupeContext): {
  countIn(invalidations: number): void;
  countSent(pokes: number): void;
  countUnavailable(): void;
} {
  const invalidationsIn = metrics.counter('stream.caches.invalidations-in');
  const pokesSent = metrics.counter('stream.caches.pokes-sent');
  const ratio = metrics.gauge('stream.caches.invalidations-per-poke');
  const unavailable = metrics.counter('stream.caches.pokes-unavailable');
  const totals = { in: 0, out: 0 };
  return {
    countIn(invalidations) {
      totals.in += invalidations;
      invalidationsIn.add(invalidations);
    },
    countSent(pokes) {
      totals.out += pokes;
      pokesSent.add(pokes);
      ratio.set(totals.in / totals.out);
    },
    countUnavailable: () => unavailable.add(),
  };
}

/** Calls `action` again after a wait, while this life lasts. */
function createRetry(
  context: TroupeContext,
  action: () => Promise<void>,
): { isWaiting(): boolean; begin(failures: number): void } {
  const { clock, ended } = context;
  let timer: Timer | null = null;
  ended.addEventListener('abort', () => {
    if (timer !== null) clock.cancel(timer);
  });
  return {
    isWaiting: () => timer !== null,
    begin(failures) {
      timer = clock.after(backoffMs(STORAGE_BACKOFF, failures), () => {
        timer = null;
        action().catch((error: unknown) => context.crash(error));
      });
    },
  };
}

async function write(
  owner: DurableStreamOwner<CachesRow>,
  pokes: readonly CachesRow[],
): Promise<WriteOutcome | null> {
  if (pokes.length === 0) return null;
  return owner.write({ count: pokes.length, steps: [], rows: () => pokes.map((poke) => [poke]) });
}

/**
 * Gathers changes until the flush that the first of them queued behind all that stood in the mailbox by then; while one flush
 * waits for its commit, the next changes gather.
 */
export function createPoker(context: TroupeContext, owner: DurableStreamOwner<CachesRow>): Poker {
  const self = context.ref('caches');
  const figures = pokerFigures(context);
  const pending = createPendingPokes();
  let publishers: ((position: number) => void)[] = [];
  let unsent: Batch | null = null;
  let isFlushQueued = false;
  let isFlushing = false;
  let failures = 0;

  async function queueFlush(): Promise<void> {
    if (isFlushQueued || isFlushing || retry.isWaiting()) return;
    isFlushQueued = true;
    // A full mailbox has no room for it: then what is gathered goes out now.
    if (self.tell('caches.flush-pokes', null) !== 'sent') await flush();
  }
  const retry = createRetry(context, queueFlush);
  const gathered = (invalidations: number): Promise<void> => {
    figures.countIn(invalidations);
    return queueFlush();
  };
  const tryLater = (detail: string): void => {
    failures += 1;
    figures.countUnavailable();
    context.log.warn('storage does not take pokes', { detail });
    retry.begin(failures);
  };
  const settle = (batch: Batch, outcome: WriteOutcome | null): void => {
    if (outcome?.kind === 'unavailable') return tryLater(outcome.detail);
    if (outcome?.kind === 'refused') throw new Error(`a poke was refused: ${outcome.refusal}`);
    if (batch.pokes.length > 0) figures.countSent(batch.pokes.length);
    unsent = null;
    failures = 0;
    for (const answer of batch.publishers) answer(owner.currentToken());
  };
  async function flush(): Promise<void> {
    isFlushQueued = false;
    if (isFlushing || retry.isWaiting()) return;
    isFlushing = true;
    if (unsent === null) {
      unsent = { pokes: pending.take(), publishers };
      publishers = [];
    }
    settle(unsent, await write(owner, unsent.pokes));
    isFlushing = false;
    if (!pending.isEmpty() || publishers.length > 0) await queueFlush();
  }
  return {
    roomChanged(roomId, invalidations, members) {
      pending.addRoom(roomId, members);
      return gathered(invalidations);
    },
    invalidate(facts) {
      pending.addFacts(facts);
      return gathered(facts.length);
    },
    async publish(facts) {
      if (publishers.length >= PUBLISHERS_MAX) throw new Error('too many wait for their facts to be told');
      const { promise, resolve } = Promise.withResolvers<number>();
      publishers.push(resolve);
      pending.addFacts(facts);
      await gathered(facts.length);
      return promise;
    },
    flush,
  };
}
