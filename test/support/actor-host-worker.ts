import type { AnyActorDefinition } from '../../actors/kit/actor.ts';
import type { WorkerStart } from '../../actors/kit/worker-thread.ts';
import { serveWorkerThread } from '../../actors/kit/worker-thread.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import { seededRandom } from '../../src/kit/random.ts';
import type { HostWorkerData } from './actor-host.ts';
import { loadExport } from './actor-host.ts';
import { crashable } from './crashable.ts';

type Definition = AnyActorDefinition<unknown, unknown>;

await serveWorkerThread<unknown, unknown>(async (start) => {
  const host = start.data as HostWorkerData;
  const own = host.actors.filter(({ name }) => start.actors.includes(name));
  const definitions = new Map<string, Definition>(
    await Promise.all(
      own.map(async (actor): Promise<[string, Definition]> => {
        const definition = (await loadExport(actor)) as Definition;
        return [actor.name, crashable(definition, host.crashFlags, host.names)];
      }),
    ),
  );
  const makeEnv =
    host.env === null
      ? () => undefined
      : ((await loadExport(host.env)) as (workerStart: WorkerStart) => unknown);
  const env = await makeEnv({ ...start, data: host.data });
  return {
    clock: systemClock,
    random: seededRandom(1),
    log: silentLogger,
    env,
    definition(name) {
      const definition = definitions.get(name);
      if (definition === undefined) throw new Error(`no definition of ${name}`);
      return definition;
    },
  };
});
