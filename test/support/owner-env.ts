import type { Environment } from '../../actors/environment.ts';
import type { WorkerStart } from '../../actors/kit/worker-thread.ts';
import { openReadDb } from '../../db/kit/read-connections.ts';
import type { Config } from '../../src/config/config.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import { createThreadCaches } from '../../src/streams/cache-store.ts';
import { silentMetrics } from './database.ts';
import { NOBODY_OUT_THERE } from './nobody-out-there.ts';

/** The server of the world. */
export const OWN_SERVER = 'example.com';

/** What owners read of the configuration. */
export const OWNER_CONFIG = {
  server: { name: OWN_SERVER, adminContact: 'mailto:admin@example.com' },
  federation: { trustedKeyServers: [] as readonly string[] },
  delayedEvents: { maxDelayMs: 86_400_000, maxScheduled: 100 },
} as Config;

/** The environment of a thread over the database at `path`. */
export function ownerEnvironmentOver(path: string): Environment & { close(): void } {
  const db = openReadDb(path, { metrics: silentMetrics, clock: systemClock, log: silentLogger });
  return {
    config: OWNER_CONFIG,
    db,
    federationClient: NOBODY_OUT_THERE,
    streams: null,
    caches: createThreadCaches({ db, metrics: silentMetrics }),
    serverKey: { keyId: 'ed25519:test', seed: new Uint8Array(32) },
    close: () => db.close(),
  };
}

/** What owners on a worker find: its data is the path of the database. */
export function ownerEnvironment({ data }: WorkerStart): Environment {
  return ownerEnvironmentOver(String(data));
}
