import { createRoom, registerUser } from './kit/client.ts';
import { type BenchRow, report } from './kit/figures.ts';
import { endProcess, prepareStart, residentMb, startProcess, startServer } from './kit/server.ts';

const ROOMS = 10_000;
const CREATORS = 16;
const SETTLE_MS = 5_000;
const FLOOR_SERVER = new URL('kit/floor-http-server.ts', import.meta.url).pathname;

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

async function measure(
  name: string,
  options: Parameters<typeof startServer>[0],
  floorMb: number,
): Promise<readonly BenchRow[]> {
  const server = await startServer(options);
  try {
    await settle();
    const idleMb = server.memoryMb();
    const users = await Promise.all(
      Array.from({ length: CREATORS }, (_, index) => registerUser(server.port, `creator${index}`)),
    );
    let left = ROOMS;
    const startedAt = performance.now();
    await Promise.all(
      users.map(async (user) => {
        while (left > 0) {
          left -= 1;
          await createRoom(user);
        }
      }),
    );
    const seconds = (performance.now() - startedAt) / 1_000;
    await settle();
    const roomsMb = server.memoryMb();
    for (const user of users) user.connection.close();
    return [
      { name: `${name}, idle`, figures: { MB: idleMb, 'of floor': idleMb / floorMb } },
      {
        name: `${name}, ${ROOMS} rooms made`,
        figures: { MB: roomsMb, 'of floor': roomsMb / floorMb, 'rooms/s': ROOMS / seconds },
      },
    ];
  } finally {
    await server.stop();
  }
}

/** Resident memory when idle, and after 10,000 rooms have been made: as `npm start` runs it, and of the sources. */
export async function benchMemory(nodeFlags: readonly string[]): Promise<void> {
  const floor = await startProcess([FLOOR_SERVER], {}, '/');
  const floorMb = residentMb(floor.child.pid ?? 0);
  await endProcess(floor.child);
  const rows: BenchRow[] = [{ name: 'floor: bare node:http process', figures: { MB: floorMb } }];
  // Where Node has flags, it runs the sources.
  if (nodeFlags.length === 0) {
    await prepareStart();
    rows.push(...(await measure('npm start', { starter: true }, floorMb)));
  }
  rows.push(...(await measure('the sources', { nodeFlags }, floorMb)));
  report('memory', rows);
}
