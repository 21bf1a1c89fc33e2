// The entry of every worker thread.
import { systemClock } from '../src/kit/clock.ts';
import { batchLines } from '../src/kit/log-batch.ts';
import { createLogLevelSwitch } from '../src/kit/log-levels.ts';
import { createLogger } from '../src/kit/pino-logger.ts';
import { systemRandom } from '../src/kit/random.ts';
import type { Environment } from './environment.ts';
import { serveWorkerThread } from './kit/worker-thread.ts';
import type { ActorMap } from './protocols.ts';
import { loadActors } from './registry.ts';
import type { Settings } from './settings-desk.ts';
import { openThreadEnvironment, type ProgramData } from './thread-environment.ts';

void serveWorkerThread<ActorMap, Environment>(async ({ thread, actors, metrics, data }) => {
  const { config, serverKey, logLevels } = data as ProgramData;
  const clock = systemClock;
  // What a worker writes to standard error is handed to the main thread, piece by piece: whole lines stay whole.
  const sink = batchLines((lines) => void process.stderr.write(lines), setImmediate);
  const levels = createLogLevelSwitch(logLevels.level);
  levels.set(logLevels);
  const log = createLogger({ level: levels, thread, sink, now: () => clock.now() });
  const definition = await loadActors(actors);
  const random = systemRandom;
  const { env, reconfigure, close } = openThreadEnvironment({
    config,
    serverKey,
    thread,
    actors,
    clock,
    random,
    metrics,
    log,
  });
  return {
    clock,
    random,
    log,
    env,
    definition,
    close,
    takeNotice(notice) {
      const settings = notice as Settings;
      levels.set(settings.logLevels);
      reconfigure(settings);
    },
  };
});
