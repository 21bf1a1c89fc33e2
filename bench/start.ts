import { percentile, report } from './kit/figures.ts';
import { endProcess, startProcess, startServer } from './kit/server.ts';

const RUNS = 10;
const FLOOR_SERVER = new URL('kit/floor-http-server.ts', import.meta.url).pathname;

/** From the start of the process to the first 200, on an empty data folder. */
export async function benchStart(nodeFlags: readonly string[]): Promise<void> {
  const floors: number[] = [];
  const starts: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const floor = await startProcess([FLOOR_SERVER], {}, '/');
    floors.push(floor.startedInMs);
    await endProcess(floor.child);
    const server = await startServer({ nodeFlags });
    starts.push(server.startedInMs);
    await server.stop();
  }
  const figures = (times: readonly number[]): Record<string, number> => ({
    'p50 ms': percentile(times, 0.5),
    'min ms': Math.min(...times),
    'max ms': Math.max(...times),
  });
  report('start', [
    { name: 'floor: bare node:http process', figures: figures(floors) },
    {
      name: 'troupe, empty data folder, to first 200',
      figures: { ...figures(starts), 'p50 of floor': percentile(starts, 0.5) / percentile(floors, 0.5) },
    },
  ]);
}
