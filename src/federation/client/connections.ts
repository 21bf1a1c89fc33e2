import type { SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { type Dispatcher, Pool } from 'undici';
import type { AddressGuard } from '../../http-client/address-guard.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import { createServerDial } from './dial.ts';
import { discoverServer } from './discovery.ts';
import type { NameLookup } from './name-lookup.ts';
import { createWellKnownBook } from './well-known.ts';
import { createWellKnownFetch } from './fetch-well-known.ts';

/** Servers to which connections are kept. */
export const SERVERS_CONNECTED_MAX = 2_000;
/** Connections to one server. */
const CONNECTIONS_PER_SERVER_MAX = 6;
/** How long a connection without work is kept, in milliseconds. */
const KEEP_ALIVE_MS = 30_000;
/** How long the way to a server is believed, in milliseconds. */
export const ROUTE_LIFETIME_MS = 10 * 60 * 1_000;
/** Largest head of an answer, in bytes. */
const HEADERS_BYTES_MAX = 65_536;

/** What connections are made of. */
export interface ConnectionParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly names: NameLookup;
  readonly guard: AddressGuard;
  readonly authorities: SecureContext | undefined;
  readonly wellKnownPort?: number;
}

/** A request to one server. */
export interface PoolRequest extends Omit<Dispatcher.RequestOptions, 'origin'> {
  readonly headers: Readonly<Record<string, string>>;
  /** Ends it, wherever it stands. */
  readonly signal: AbortSignal;
}

/** Connections to servers, by name. */
export interface Connections {
  /** @throws (rejection) when the server cannot be found or connected to, or as undici does */
  request(serverName: string, options: PoolRequest): Promise<Dispatcher.ResponseData>;
}

interface Way {
  readonly pool: Pool;
  readonly hostHeader: string;
}

interface Connected {
  readonly way: Promise<Way>;
  /** Monotonic milliseconds. */
  readonly untilMs: number;
}

const CONNECTION_LOST: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** A connection that was kept may end in the moment in which it is used again: then the request was not looked at. */
function wasLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && CONNECTION_LOST.has(String(error.code));
}

/** As the promise, but ends with the signal, whatever the promise does then. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const end = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** All but POST may be asked twice: Server-Server API v1.19 gives ids to what changes something. */
async function askOnceMore(
  { pool, hostHeader }: Way,
  request: PoolRequest,
): Promise<Dispatcher.ResponseData> {
  // The origin's own form of the name would leave out the port 443.
  const options = { ...request, headers: { ...request.headers, host: hostHeader } };
  try {
    return await pool.request(options);
  } catch (error) {
    if (request.signal.aborted || request.method === 'POST' || !wasLost(error)) throw error;
    return pool.request(options);
  }
}

/** Opens connections where servers are found, and keeps them a while. */
export function createConnections(parts: ConnectionParts): Connections {
  const { clock, names, log } = parts;
  const wellKnown = createWellKnownBook(createWellKnownFetch(parts), clock);
  // What is forgotten ends what it has under way; its connections end by themselves when they have nothing to do.
  const connected = new LRUCache<string, Connected>({ max: SERVERS_CONNECTED_MAX });

  async function openWay(serverName: string): Promise<Way> {
    const route = await discoverServer(serverName, { names, wellKnown });
    log.debug('a server was found', { serverName, route });
    const pool = new Pool(`https://${route.hostHeader}`, {
      connect: createServerDial(route, parts),
      connections: CONNECTIONS_PER_SERVER_MAX,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEADERS_BYTES_MAX,
    });
    return { pool, hostHeader: route.hostHeader };
  }

  function forget(serverName: string, gone: Connected): void {
    if (connected.peek(serverName) === gone) connected.delete(serverName);
  }

  function connectTo(serverName: string): Connected {
    const known = connected.get(serverName);
    if (known !== undefined && clock.monotonic() < known.untilMs) return known;
    const fresh = { way: openWay(serverName), untilMs: clock.monotonic() + ROUTE_LIFETIME_MS };
    connected.set(serverName, fresh);
    fresh.way.catch(() => forget(serverName, fresh));
    return fresh;
  }

  return {
    async request(serverName, request) {
      const current = connectTo(serverName);
      const way = await untilAborted(current.way, request.signal);
      try {
        return await askOnceMore(way, request);
      } catch (error) {
        // It may have moved: the next request looks for it again.
        if (!request.signal.aborted) forget(serverName, current);
        throw error;
      }
    },
  };
}
