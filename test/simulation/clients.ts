import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import { sleep } from '../../src/kit/clock.ts';
import type { CacheDefinition } from '../../src/streams/cache.ts';
import type { WakeKey } from '../../src/streams/stream.ts';
import { positionIn, type SyncToken } from '../../src/streams/token.ts';
import { admitToken } from '../../src/streams/token-admission.ts';
import { clientEventsCache } from '../../src/sync/caches/client-events.ts';
import { ignoredUsersCache } from '../../src/sync/caches/ignored-users.ts';
import { roomsOfUserCache } from '../../src/sync/caches/rooms-of-user.ts';
import { roomSummaryCache } from '../../src/sync/caches/room-summary.ts';
import { unreadCountsCache, unreadKey } from '../../src/sync/caches/unread-counts.ts';
import { type Gateway, type SimulatedServer, STREAMS } from './server.ts';

/** How long a client waits before it knocks again at a server that is not there. */
const KNOCK_INTERVAL_MS = 150;
const POLL_TIMEOUTS_MS = [300, 2_000, 20_000];

/** The clients that long-poll. */
export interface Clients {
  /** Ends their polls; resolves when none is under way. */
  stop(): Promise<void>;
  /** Answers that were built. */
  readonly answers: number;
}

/** One of the gateways that live; undefined when none does. */
export function pickGateway({ gateways, random }: SimulatedServer, usual: number): Gateway | undefined {
  const living = [...gateways.values()];
  return random.integer(4) > 0
    ? living[usual % Math.max(1, living.length)]
    : living[random.integer(Math.max(1, living.length))];
}

interface Client {
  readonly userId: string;
  readonly usual: number;
  token: SyncToken | null;
}

/** Reads as sync does, and has each value judged by where the views stood before it was read. */
async function buildAnswer(server: SimulatedServer, gateway: Gateway, userId: string) {
  const { seat } = gateway;
  const since = seat.views.now();
  const read = async <Value>(cache: CacheDefinition<string, Value>, key: string): Promise<Value> => {
    const value = await seat.caches.get(cache, key);
    seat.judgeRead(cache as unknown as CacheDefinition<string, never>, key, value, since);
    return value;
  };
  const rooms = await read(roomsOfUserCache, userId);
  const joined = rooms.filter(({ membership }) => membership === 'join').map(({ roomId }) => roomId);
  await read(ignoredUsersCache, userId);
  for (const roomId of joined) {
    // One after another, as sync does.
    await read(hostsInRoom, roomId);
    await read(roomSummaryCache, roomId);
    await read(unreadCountsCache, unreadKey(roomId, userId));
  }
  const [eventId] = server.verdict.redacted;
  if (eventId !== undefined) await read(clientEventsCache, eventId);
  return { since, joined };
}

/** A client that comes back is told nothing older than what it has. */
function judgeAdmission(server: SimulatedServer, gateway: Gateway, token: SyncToken): void {
  const { seat } = gateway;
  for (const { name, kind, letter } of STREAMS) {
    if (kind !== 'durable' || letter === null) continue;
    const { position } = positionIn(token, name);
    if (seat.views.currentToken(name) >= position) continue;
    server.verdict.blame(
      '1.6',
      `${seat.name} answers at ${seat.views.currentToken(name)} of ${name} who has ${position}`,
    );
  }
}

function timeouts(gateway: Gateway): number {
  return STREAMS.reduce((sum, { name }) => sum + gateway.seat.timedOut(name), 0);
}

async function pollOnce(server: SimulatedServer, gateway: Gateway, client: Client): Promise<void> {
  const { seat, context } = gateway;
  const { userId, token } = client;
  if (token !== null) {
    const before = timeouts(gateway);
    await admitToken(token, seat.views, context.env.db, STREAMS);
    if (timeouts(gateway) === before) judgeAdmission(server, gateway, token);
  }
  const { since, joined } = await buildAnswer(server, gateway, userId);
  client.token = since;
  const keys: readonly WakeKey[] = [
    'everyone',
    `user:${userId}`,
    ...joined.map((roomId) => `room:${roomId}` as const),
  ];
  const timeoutMs = POLL_TIMEOUTS_MS[server.random.integer(POLL_TIMEOUTS_MS.length)] ?? 0;
  const outcome = await seat.park(keys, since, timeoutMs).outcome;
  server.verdict.trace(`${userId} ${outcome}`);
  // Who was woken looks at once, in the very turn.
  if (outcome === 'woken') await buildAnswer(server, gateway, userId);
}

/** Sets the clients going. */
export function startClients(server: SimulatedServer): Clients {
  const over = new AbortController();
  let answers = 0;
  const live = async (client: Client): Promise<void> => {
    while (!over.signal.aborted) {
      const gateway = pickGateway(server, client.usual);
      try {
        if (gateway === undefined) throw new Error('nobody answers');
        // A client polls again when it was answered.
        await pollOnce(server, gateway, client);
        answers += 1;
      } catch (error) {
        server.verdict.trace(String(error));
      }
      await sleep(server.loop.clock, server.random.integer(KNOCK_INTERVAL_MS));
    }
  };
  const lives = server.verdict.users.map((userId, usual) => live({ userId, usual, token: null }));
  return {
    async stop() {
      over.abort();
      await Promise.all(lives);
    },
    get answers() {
      return answers;
    },
  };
}
