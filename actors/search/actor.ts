import type { Timer } from '../../src/kit/clock.ts';
import { commit } from '../commit.ts';
import { defineActor } from '../environment.ts';
import { later } from '../kit/actor.ts';
import { createIndexer } from './indexer.ts';
import type { SearchProtocol } from './protocol.ts';

const MAILBOX_LIMIT = 10_000;
/** How often it is looked whether something is to be indexed, in milliseconds. Many messages then share a write, and none waits for it. */
export const INDEX_INTERVAL_MS = 500;

/**
 * Owner of the search index. It follows the events stream from behind: how far it has come is written with what it has indexed, so that a new
 * life goes on where the last one ended, and the first one begins at the beginning.
 */
export const searchActor = defineActor<SearchProtocol>({
  name: 'search',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  start(context) {
    const { env, clock, ended } = context;
    let isStopping = false;
    let timer: Timer | null = null;
    const indexer = createIndexer({
      db: env.db,
      clock,
      isEnded: () => ended.aborted || isStopping,
      async write(steps) {
        if (steps.length === 0) return true;
        const outcome = await commit(context, steps);
        if (outcome.kind === 'refused') throw new Error(`indexing has no guard, yet ${outcome.refusal}`);
        if (outcome.kind === 'unavailable') context.log.warn('the search index waits', { ...outcome });
        return outcome.kind === 'committed';
      },
    });
    let last = Promise.resolve(0);

    /** One run after the other: each sees what was committed before it was asked for. */
    function runAgain(isUrgent: boolean): Promise<number> {
      last = last.then(() => indexer.run(isUrgent));
      return last;
    }

    async function tick(): Promise<void> {
      await runAgain(false);
      if (!ended.aborted && !isStopping) schedule();
    }

    function schedule(): void {
      timer = clock.after(INDEX_INTERVAL_MS, () => {
        tick().catch((error: unknown) => context.crash(error));
      });
    }

    function endTimer(): void {
      if (timer !== null) clock.cancel(timer);
    }

    ended.addEventListener('abort', endTimer, { once: true });
    schedule();
    return {
      handlers: {
        'search.index-now': () => later(runAgain(true).then((position) => ({ position }))),
      },
      async stop() {
        isStopping = true;
        endTimer();
        await last;
      },
    };
  },
});
