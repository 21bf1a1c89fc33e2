import {
  type BenchUser,
  createRoom,
  expectOk,
  joinRoom,
  registerUser,
  secondConnection,
  sendMessage,
} from './kit/client.ts';
import { percentile, report } from './kit/figures.ts';
import { httpFloor } from './kit/floors.ts';
import { processorMs, startServer } from './kit/server.ts';

const ROOMS = 20;
const MEMBERS = 5;
const PER_SECOND = 300;
const WARM_UP_MS = 3_000;
const LENGTH_MS = 10_000;
const POLL_MS = 10_000;

interface Sent {
  readonly at: number;
  /** Members that have not seen it yet. */
  missing: number;
}

/** From the start of a send to the end of each other member's sync answer that holds it. */
class Deliveries {
  readonly latencies: number[] = [];
  readonly #sent = new Map<string, Sent>();
  #measuring = false;

  begin(): void {
    this.#measuring = true;
  }

  note(body: string): void {
    if (this.#measuring) this.#sent.set(body, { at: performance.now(), missing: MEMBERS - 1 });
  }

  seen(body: string): void {
    const sent = this.#sent.get(body);
    if (sent === undefined) return;
    this.latencies.push(performance.now() - sent.at);
    sent.missing -= 1;
    if (sent.missing === 0) this.#sent.delete(body);
  }

  get missing(): number {
    return [...this.#sent.values()].reduce((sum, sent) => sum + sent.missing, 0);
  }
}

/** Syncs for ever and reports the messages of others. */
async function syncLoop(user: BenchUser, deliveries: Deliveries, isOver: () => boolean): Promise<void> {
  const filter = encodeURIComponent(
    JSON.stringify({ presence: { types: [] }, room: { timeline: { limit: 50 } } }),
  );
  let since = '';
  while (!isOver()) {
    const path = `/_matrix/client/v3/sync?filter=${filter}&timeout=${since === '' ? 0 : POLL_MS}${since}`;
    const reply = await user.connection.request('GET', path, user.token);
    const answer = expectOk(reply, 'sync') as {
      next_batch: string;
      rooms?: {
        join?: Record<string, { timeline?: { events: { sender: string; content: { body?: string } }[] } }>;
      };
    };
    for (const room of Object.values(answer.rooms?.join ?? {})) {
      for (const event of room.timeline?.events ?? []) {
        if (event.sender !== user.userId && event.content.body !== undefined)
          deliveries.seen(event.content.body);
      }
    }
    since = `&since=${encodeURIComponent(answer.next_batch)}`;
  }
}

/** Sends at a steady pace, in turn by every user into the user's room. */
async function sendSteadily(
  users: readonly (BenchUser & { readonly roomId: string })[],
  deliveries: Deliveries,
): Promise<number> {
  const startedAt = performance.now();
  let sent = 0;
  const tails = new Map<string, Promise<unknown>>();
  while (performance.now() - startedAt < WARM_UP_MS + LENGTH_MS) {
    const now = performance.now() - startedAt;
    if (now > WARM_UP_MS) deliveries.begin();
    while (sent < (now / 1_000) * PER_SECOND) {
      const user = users[sent % users.length];
      if (user === undefined) throw new Error('no user');
      sent += 1;
      const body = `message ${sent}`;
      deliveries.note(body);
      // One after another on the user's connection: what has to wait counts as late, not as lost.
      const before = tails.get(user.userId) ?? Promise.resolve();
      const sending = before.then(() => sendMessage(user, user.roomId, body));
      tails.set(user.userId, sending);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(tails.values());
  return sent;
}

/** The time from a send to the other members' sync answers, under a steady load with everybody syncing. */
export async function benchWake(nodeFlags: readonly string[]): Promise<void> {
  const server = await startServer({ nodeFlags });
  const floor = await httpFloor(1, '{}');
  const deliveries = new Deliveries();
  let isOver = false;
  try {
    const users: (BenchUser & { readonly roomId: string })[] = [];
    for (let room = 0; room < ROOMS; room += 1) {
      const members = await Promise.all(
        Array.from({ length: MEMBERS }, (_, member) =>
          registerUser(server.port, `room${room}member${member}`),
        ),
      );
      const [creator, ...others] = members;
      if (creator === undefined) throw new Error('no member');
      const roomId = await createRoom(creator);
      for (const other of others) await joinRoom(other, roomId);
      users.push(...members.map((member) => ({ ...member, roomId })));
    }
    const loops = await Promise.all(users.map((user) => secondConnection(server.port, user)));
    const running = loops.map((user) => syncLoop(user, deliveries, () => isOver));
    const processorBefore = processorMs(server.pid);
    const sent = await sendSteadily(users, deliveries);
    const deadline = performance.now() + 5_000;
    while (deliveries.missing > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const processorUsedMs = processorMs(server.pid) - processorBefore;
    isOver = true;
    for (const user of [...users, ...loops]) user.connection.close();
    await Promise.allSettled(running);
    const p50 = percentile(deliveries.latencies, 0.5);
    report('wake', [
      { name: 'floor: node:http, 1 at a time', figures: { 'p50 ms': floor.p50Ms, 'p99 ms': floor.p99Ms } },
      {
        name: `send → sync, ${PER_SECOND}/s, ${ROOMS} rooms of ${MEMBERS}`,
        figures: {
          'p50 ms': p50,
          'p99 ms': percentile(deliveries.latencies, 0.99),
          'max ms': Math.max(...deliveries.latencies),
          'p50 of floor': p50 / floor.p50Ms,
          'µs of processor per message': (processorUsedMs * 1_000) / sent,
          sent,
          delivered: deliveries.latencies.length,
          lost: deliveries.missing,
          MB: server.memoryMb(),
        },
      },
    ]);
  } finally {
    isOver = true;
    await server.stop();
  }
}
