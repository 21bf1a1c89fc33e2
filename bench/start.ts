import { existsSync } from 'node:fs';
import { percentile, report } from './kit/figures.ts';
import { endProcess, prepareStart, startProcess, startServer } from './kit/server.ts';

const RUNS = 10;
const BINARY = new URL('../dist/troupe', import.meta.url).pathname;
const FLOOR_SERVER = new URL('kit/floor-http-server.ts', import.meta.url).pathname;

interface Way {
  readonly name: string;
  readonly options: Parameters<typeof startServer>[0];
  readonly times: number[];
}

/** The ways to start it. Where Node has flags, `npm start` runs the sources. */
async function waysToStart(nodeFlags: readonly string[]): Promise<readonly Way[]> {
  const sources: Way = { name: 'the sources, the same', options: { nodeFlags }, times: [] };
  const binary: Way = { name: 'dist/troupe, the same', options: { binary: BINARY }, times: [] };
  const ofBinary = existsSync(BINARY) ? [binary] : [];
  if (nodeFlags.length > 0) return [sources, ...ofBinary];
  await prepareStart();
  const name = 'npm start, empty data folder, to first 200';
  return [{ name, options: { starter: true }, times: [] }, sources, ...ofBinary];
}

/** From the start of the process to the first 200, on an empty data folder. */
export async function benchStart(nodeFlags: readonly string[]): Promise<void> {
  const floors: number[] = [];
  const ways = await waysToStart(nodeFlags);
  for (let run = 0; run < RUNS; run += 1) {
    const floor = await startProcess([FLOOR_SERVER], {}, '/');
    floors.push(floor.startedInMs);
    await endProcess(floor.child);
    for (const { options, times } of ways) {
      const server = await startServer(options);
      times.push(server.startedInMs);
      await server.stop();
    }
  }
  const figures = (times: readonly number[]): Record<string, number> => ({
    'p50 ms': percentile(times, 0.5),
    'min ms': Math.min(...times),
    'max ms': Math.max(...times),
  });
  const ofFloor = (times: readonly number[]): number => percentile(times, 0.5) / percentile(floors, 0.5);
  report('start', [
    { name: 'floor: bare node:http process', figures: figures(floors) },
    ...ways.map(({ name, times }) => ({
      name,
      figures: { ...figures(times), 'p50 of floor': ofFloor(times) },
    })),
  ]);
}
