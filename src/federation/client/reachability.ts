import { LRUCache } from 'lru-cache';
import { findRetryTs, unreachableUntil } from '../../../db/federation-sender/reader.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import type { Clock } from '../../kit/clock.ts';
import { type Caches, defineCache } from '../../streams/cache.ts';
import type { ReachabilityBook } from '../federation-client.ts';

/** Servers whose state a thread keeps in memory. */
export const REMEMBERED_SERVERS_MAX = 20_000;
/** How long a server that did not answer is not asked again by the thread that noticed, until all threads know better. */
export const NOTICED_FOR_MS = 2_000;
/** How often it is told that a server answers. */
export const HEARD_NOTE_EVERY_MS = 60_000;

/** Server name → until when it counts as out of reach; null while it does not. */
export const reachCache = defineCache<string, number | null>({
  name: 'reach',
  sizeMax: REMEMBERED_SERVERS_MAX,
  load: findRetryTs,
  reads: [unreachableUntil],
  dependsOn: { reach: (fact) => [fact.serverName] },
});

/** Where what a thread notices is told. */
export interface ReachNotes {
  heard(serverName: string): void;
  unreachable(serverName: string, reason: string): void;
}

/** What one thread has noticed of a server that did not answer. */
interface Noticed {
  /** Milliseconds since the Unix epoch. */
  readonly untilTs: number;
  /** What all knew then is in memory: when it goes from there, they know better. */
  isCompared: boolean;
}

/** The book of one thread: it reads what all have noticed, and tells what it notices itself. */
export interface SharedReachability extends ReachabilityBook {
  /** From now on it tells. Before, what is noticed is known here only, for a moment. */
  connect(notes: ReachNotes): void;
}

/**
 * Opens the book of a thread. What stands in it is the sender's: which servers did not answer, and when they are tried again.
 *
 * @param cached gives the caches of the thread; null where it has none
 */
export function openReachability(clock: Clock, db: ReadDb, cached: () => Caches | null): SharedReachability {
  const noticed = new LRUCache<string, Noticed>({ max: REMEMBERED_SERVERS_MAX });
  const heard = new LRUCache<string, number>({ max: REMEMBERED_SERVERS_MAX });
  let notes: ReachNotes | null = null;

  function lookUp(serverName: string): Promise<number | null> {
    const caches = cached();
    return caches === null ? findRetryTs(db, serverName) : caches.get(reachCache, serverName);
  }

  /** What all know of it is in memory, and has not changed since it was read. */
  const isLoaded = (serverName: string): boolean => cached()?.peek(reachCache, serverName) !== undefined;

  return {
    connect: (to) => void (notes = to),
    async retryTs(serverName) {
      const before = noticed.get(serverName);
      // What all know has changed since: the sender has heard what was noticed here, or that it is over.
      if (before?.isCompared === true && !isLoaded(serverName)) noticed.delete(serverName);
      const known = await lookUp(serverName);
      const here = noticed.get(serverName);
      if (here === undefined) return known;
      here.isCompared = isLoaded(serverName);
      return Math.max(here.untilTs, known ?? 0);
    },
    noteHeard(serverName) {
      const now = clock.now();
      const wasOut = noticed.delete(serverName) || (cached()?.peek(reachCache, serverName) ?? null) !== null;
      if (!wasOut && now - (heard.get(serverName) ?? -Infinity) < HEARD_NOTE_EVERY_MS) return;
      heard.set(serverName, now);
      notes?.heard(serverName);
    },
    noteUnreachable(serverName, reason) {
      noticed.set(serverName, { untilTs: clock.now() + NOTICED_FOR_MS, isCompared: isLoaded(serverName) });
      notes?.unreachable(serverName, reason);
    },
  };
}
