import { openReadDb } from '../db/kit/read-connections.ts';
import { databasePath } from '../db/kit/sqlite.ts';
import type { Config } from '../src/config/config.ts';
import type { Clock } from '../src/kit/clock.ts';
import type { Logger } from '../src/kit/logger.ts';
import type { Metrics } from '../src/kit/metrics.ts';
import type { ServerKey } from '../src/matrix/signing.ts';
import { createThreadCaches } from '../src/streams/cache-store.ts';
import { createThreadViews } from '../src/streams/thread-views.ts';
import type { Environment } from './environment.ts';

/** What every thread is told of the program. */
export interface ProgramData {
  readonly config: Config;
  readonly serverKey: ServerKey;
}

/** What a thread needs to make its environment. */
export interface ThreadParts extends ProgramData {
  readonly thread: string;
  /** The names of its actors. */
  readonly actors: readonly string[];
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Opens what a thread offers to its actors: read connections, and streams and caches where a `views@…` actor keeps them true.
 *
 * @returns the environment, and what closes it
 */
export function openThreadEnvironment(parts: ThreadParts): {
  readonly env: Environment;
  readonly close: () => void;
} {
  const { config, serverKey, clock, metrics, log } = parts;
  const subscriber = `views@${parts.thread}`;
  const db = openReadDb(databasePath(config.data.path), { metrics, clock, log });
  if (!parts.actors.includes(subscriber)) {
    return { env: { config, serverKey, db, streams: null, caches: null }, close: () => db.close() };
  }
  const caches = createThreadCaches({ db, metrics });
  const streams = createThreadViews({ subscriber, db, caches, clock, metrics, log });
  return {
    env: { config, serverKey, db, streams, caches },
    close() {
      streams.close();
      db.close();
    },
  };
}
