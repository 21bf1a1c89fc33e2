import { dirname } from 'node:path';
import type { Environment } from '../../../actors/environment.ts';
import type { WorkerStart } from '../../../actors/kit/worker-thread.ts';
import { openReadDb } from '../../../db/kit/read-connections.ts';
import type { Config } from '../../../src/config/config.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { silentMetrics } from '../../support/database.ts';
import { testConfig } from '../accounts/accounts-world.ts';
import { NOBODY_OUT_THERE } from '../../support/nobody-out-there.ts';

/** The environment of a thread over the database at `path`. */
export function mediaEnvironmentOver(path: string, config: Config): Environment & { close(): void } {
  const db = openReadDb(path, { metrics: silentMetrics, clock: systemClock, log: silentLogger });
  const serverKey = { keyId: 'ed25519:test', seed: new Uint8Array(32) };
  return {
    config,
    db,
    streams: null,
    caches: null,
    serverKey,
    federationClient: NOBODY_OUT_THERE,
    close: () => db.close(),
  };
}

/** What the actor on a worker finds: its data is the path of the database. */
export function mediaEnvironment({ data }: WorkerStart): Environment {
  return mediaEnvironmentOver(String(data), testConfig(dirname(String(data))));
}
