import { openReadDb } from '../db/kit/read-connections.ts';
import { databasePath } from '../db/kit/sqlite.ts';
import { createLiveConfig } from '../src/config/live-config.ts';
import { lazyFederationClient } from '../src/federation/client/lazy-client.ts';
import { openReachability } from '../src/federation/client/reachability.ts';
import type { Clock } from '../src/kit/clock.ts';
import type { Logger } from '../src/kit/logger.ts';
import type { Metrics } from '../src/kit/metrics.ts';
import type { Random } from '../src/kit/random.ts';
import type { ServerKey } from '../src/matrix/signing.ts';
import { createThreadCaches } from '../src/streams/cache-store.ts';
import { createThreadViews } from '../src/streams/thread-views.ts';
import type { Environment } from './environment.ts';
import type { Settings } from './settings-desk.ts';

/** How finely targets of one priority are drawn by their weight. */
const DRAW_STEPS = 65_536;

/** What every thread is told of the program. */
export interface ProgramData extends Settings {
  readonly serverKey: ServerKey;
}

/** What a thread needs to make its environment. */
export interface ThreadParts extends Omit<ProgramData, 'logLevels'> {
  readonly thread: string;
  /** The names of its actors. */
  readonly actors: readonly string[];
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly random: Random;
}

/**
 * Opens what a thread offers to its actors: read connections, and streams and caches where a `views@…` actor keeps them true.
 *
 * @returns the environment, what puts another configuration in the place of the first, and what closes it
 */
export function openThreadEnvironment(parts: ThreadParts): {
  readonly env: Environment;
  readonly reconfigure: (settings: Settings) => void;
  readonly close: () => void;
} {
  const { serverKey, clock, metrics, log } = parts;
  const live = createLiveConfig(parts.config);
  const { config } = live;
  const reconfigure = (settings: Settings): void => live.replace(settings.config);
  const subscriber = `views@${parts.thread}`;
  const db = openReadDb(databasePath(config.data.path), { metrics, clock, log });
  const caches = parts.actors.includes(subscriber) ? createThreadCaches({ db, metrics }) : null;
  const reachability = openReachability(clock, db, () => caches);
  const federationClient = lazyFederationClient(async () => {
    const [{ createFederationClient }, { systemNameLookup }] = await Promise.all([
      import('../src/federation/client/create-client.ts'),
      import('../src/federation/client/name-lookup.ts'),
    ]);
    const names = systemNameLookup(() => parts.random.integer(DRAW_STEPS) / DRAW_STEPS, clock);
    return createFederationClient({ config, serverKey, clock, metrics, log, names, reachability });
  });
  const shared = { config, serverKey, federationClient, reachability, db };
  if (caches === null)
    return { env: { ...shared, streams: null, caches }, reconfigure, close: () => db.close() };
  const streams = createThreadViews({ subscriber, db, caches, clock, metrics, log });
  return {
    env: { ...shared, streams, caches },
    reconfigure,
    close() {
      streams.close();
      db.close();
    },
  };
}
