import { createRoom, joinRoom, registerUser, sendMessage } from './kit/client.ts';
import { type BenchRow, report } from './kit/figures.ts';
import { httpFloor, measureRate, sqliteFloor } from './kit/floors.ts';
import { type BenchServer, processorMs, startServer } from './kit/server.ts';

const CLIENTS = [1, 10, 64];
const WARM_UP_MS = 3_000;
const LENGTH_MS = 6_000;
const TEXT = 'a message of the usual length, as people write them to each other';

/** Messages per second into one room, each signed and fsynced, for several numbers of clients. */
export async function benchSend(nodeFlags: readonly string[]): Promise<void> {
  const server: BenchServer = await startServer({ nodeFlags });
  const rows: BenchRow[] = [];
  try {
    const fsync = sqliteFloor();
    rows.push({
      name: 'floor: SQLite insert + fsync',
      figures: { '/s': fsync.perSecond, 'p50 ms': fsync.p50Ms, 'p99 ms': fsync.p99Ms },
    });
    const users = await Promise.all(
      Array.from({ length: Math.max(...CLIENTS) }, (_, index) => registerUser(server.port, `sender${index}`)),
    );
    const [first] = users;
    if (first === undefined) throw new Error('no user');
    const roomId = await createRoom(first);
    for (const user of users.slice(1)) await joinRoom(user, roomId);
    const once = async (client: number): Promise<number> => {
      const user = users[client];
      if (user === undefined) throw new Error(`no user ${client}`);
      return (await sendMessage(user, roomId, TEXT)).tookMs;
    };
    await measureRate(10, WARM_UP_MS, once);
    for (const clients of CLIENTS) {
      const floor = await httpFloor(clients, JSON.stringify({ msgtype: 'm.text', body: TEXT }));
      const before = processorMs(server.pid);
      const sent = await measureRate(clients, LENGTH_MS, once);
      const usedUs = (processorMs(server.pid) - before) * 1_000;
      rows.push({
        name: `floor: node:http, ${clients} at a time`,
        figures: { '/s': floor.perSecond, 'p50 ms': floor.p50Ms, 'p99 ms': floor.p99Ms },
      });
      rows.push({
        name: `send, ${clients} at a time`,
        figures: {
          '/s': sent.perSecond,
          'p50 ms': sent.p50Ms,
          'p99 ms': sent.p99Ms,
          'CPU µs each': usedUs / (sent.perSecond * (LENGTH_MS / 1_000)),
          'of http floor': sent.perSecond / floor.perSecond,
          'of fsync floor': sent.perSecond / fsync.perSecond,
        },
      });
    }
    rows.push({ name: 'memory after', figures: { MB: server.memoryMb() } });
    for (const user of users) user.connection.close();
  } finally {
    await server.stop();
  }
  report('send', rows);
}
