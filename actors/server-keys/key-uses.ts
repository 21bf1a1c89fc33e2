import { LRUCache } from 'lru-cache';
import { forgetUnusedKeys, noteKeyUse } from '../../db/server-keys/use-writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';

/** Servers whose keys are stored. */
export const SERVERS_STORED_MAX = 50_000;
/** So many may come before those that are too many are looked for. */
export const SERVERS_BETWEEN_LOOKS = 100;
/** A use is written once in this time, in milliseconds. */
const USE_WRITTEN_EVERY_MS = 24 * 60 * 60 * 1_000;
/** Servers of which it is remembered when that was. */
const REMEMBERED_MAX = 20_000;
/** Uses that are written with one write set. */
const USES_AT_ONCE = 500;

/**
 * Which keys of other servers are needed, so that what anybody can make us fetch does not grow without end, nor push out what the events that
 * come need. What is forgotten is fetched again where it is needed after all.
 */
export interface KeyUses {
  /** Keys of these servers are needed: behind everybody's back, and once a day for each, it is written. */
  note(serverNames: readonly string[], isForEvents: boolean): void;
  /** What is to be written with keys that are stored. */
  stepsForStored(serverName: string): readonly WriteStep[];
}

/** Makes those of one life. */
export function createKeyUses(context: TroupeContext, serversMax: number = SERVERS_STORED_MAX): KeyUses {
  const { clock, env, ended, log } = context;
  const written = new LRUCache<string, number>({ max: REMEMBERED_MAX });
  let stored = 0;

  const isDue = (serverName: string, isForEvents: boolean): boolean => {
    if (serverName === env.config.server.name) return false;
    const name = `${isForEvents} ${serverName}`;
    const now = clock.now();
    if (now - (written.get(name) ?? -USE_WRITTEN_EVERY_MS) < USE_WRITTEN_EVERY_MS) return false;
    written.set(name, now);
    return true;
  };

  async function write(serverNames: readonly string[], isForEvents: boolean): Promise<void> {
    for (let index = 0; index < serverNames.length && !ended.aborted; index += USES_AT_ONCE) {
      const some = serverNames.slice(index, index + USES_AT_ONCE);
      const now = clock.now();
      const outcome = await commit(
        context,
        some.map((serverName) => noteKeyUse(serverName, isForEvents, now)),
      );
      if (outcome.kind !== 'committed') log.warn('that keys are used was not stored', { outcome });
    }
  }

  return {
    note(serverNames, isForEvents) {
      const due = serverNames.filter((serverName) => isDue(serverName, isForEvents));
      if (due.length === 0) return;
      write(due, isForEvents).catch((error: unknown) => {
        if (!ended.aborted) context.crash(error);
      });
    },
    stepsForStored(serverName) {
      stored += 1;
      const steps = [noteKeyUse(serverName, false, clock.now())];
      // Also after a start: a program that is often started anew would never come to it otherwise.
      if (stored % SERVERS_BETWEEN_LOOKS === 1) steps.push(...forgetUnusedKeys(serversMax));
      return steps;
    },
  };
}
