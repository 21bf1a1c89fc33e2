import { createRoom, registerUser } from './kit/client.ts';
import { report } from './kit/figures.ts';
import { endProcess, residentMb, startProcess, startServer } from './kit/server.ts';

const ROOMS = 10_000;
const CREATORS = 16;
const SETTLE_MS = 5_000;
const FLOOR_SERVER = new URL('kit/floor-http-server.ts', import.meta.url).pathname;

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

/** Resident memory when idle, and after 10,000 rooms have been made. */
export async function benchMemory(nodeFlags: readonly string[]): Promise<void> {
  const floor = await startProcess([FLOOR_SERVER], {}, '/');
  const floorMb = residentMb(floor.child.pid ?? 0);
  await endProcess(floor.child);
  const server = await startServer({ nodeFlags });
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
    report('memory', [
      { name: 'floor: bare node:http process', figures: { MB: floorMb } },
      { name: 'idle', figures: { MB: idleMb, 'of floor': idleMb / floorMb } },
      {
        name: `${ROOMS} rooms made`,
        figures: { MB: roomsMb, 'of floor': roomsMb / floorMb, 'rooms/s': ROOMS / seconds },
      },
    ]);
  } finally {
    await server.stop();
  }
}
