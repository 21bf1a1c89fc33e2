import { type Server, createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ListenAddress } from '../../config/config.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Metrics } from '../../kit/metrics.ts';
import { refuse } from '../../matrix/refusal.ts';
import { CORS_HEADERS, refusalText } from './answer.ts';
import type { App } from './app.ts';

/** How long a client may take to send the head of a request, in milliseconds. */
export const HEADERS_TIMEOUT_MS = 20_000;

/**
 * How long a client may take to send a whole request, in milliseconds: time for a large upload over a slow line. Bodies have deadlines of their
 * own, which answer first: JSON as a whole, an upload for each silence.
 */
export const REQUEST_TIMEOUT_MS = 3_600_000;

/** How long a connection may be idle, in milliseconds: longer than reverse proxies keep theirs, so that they never meet a closing one. */
export const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/** Largest head of a request in bytes: request line, access token and all headers. */
export const HEADERS_BYTES_MAX = 32_768;

/** How many connections one gateway holds; the next one is closed at once. */
export const CONNECTIONS_MAX = 50_000;

/** How long requests that are being served may take to end when the server stops, in milliseconds. */
export const DRAIN_DEADLINE_MS = 5_000;

/** How often the ends of stalled heads and requests are looked for, in milliseconds. */
const TIMEOUT_CHECK_INTERVAL_MS = 5_000;

const STATUS_BY_PARSE_ERROR: Readonly<Record<string, readonly [status: number, reason: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
};

/** Answers what is no request at all: there is no request object, so the answer is written as text. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason] = STATUS_BY_PARSE_ERROR[error.code ?? ''] ?? [400, 'Bad Request'];
  const body = refusalText(refuse('M_UNKNOWN', `This is not an HTTP request: ${reason}.`, { status }));
  const head = Object.entries({
    ...CORS_HEADERS,
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${head.join('')}\r\n${body}`);
}

/** A listening server. */
export interface HttpServer {
  /** Where it really listens: the port is never 0. */
  readonly address: ListenAddress;
  /**
   * Stops: accepts nothing more, closes idle connections, lets parked long polls answer and the other requests end, for at most
   * {@link DRAIN_DEADLINE_MS}; then closes what is left. Resolves when every connection is closed.
   */
  stop(): Promise<void>;
  /** Closes everything at once: what is being served is cut off. For crashes; after a stop it does nothing. */
  kill(): void;
}

function listen(server: Server, address: ListenAddress, reusePort: boolean): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address.host, port: address.port, reusePort }, () => {
      server.off('error', reject);
      const bound = server.address();
      if (bound === null || typeof bound === 'string') reject(new Error('the server listens on no port'));
      else resolve(bound);
    });
  });
}

function stopServer(server: Server, app: App, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const deadline = clock.after(DRAIN_DEADLINE_MS, () => server.closeAllConnections());
    server.close(() => {
      clock.cancel(deadline);
      resolve();
    });
    app.beginStop();
  });
}

/**
 * Starts an HTTP server for an app.
 *
 * @param address port 0 means any free one
 * @param reusePort several threads listen on the same port and the kernel deals the connections out
 * @throws Error (rejection) when it cannot listen there
 */
export async function startHttpServer(options: {
  readonly app: App;
  readonly address: ListenAddress;
  readonly reusePort: boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
}): Promise<HttpServer> {
  const { app, clock } = options;
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
    maxHeaderSize: HEADERS_BYTES_MAX,
    noDelay: true,
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('request', app.listener);
  // Reading the body says 100 Continue: who will be refused need not send it.
  server.on('checkContinue', app.listener);
  server.on('clientError', answerBrokenRequest);
  const dropped = options.metrics.counter('http.connections-dropped');
  server.on('drop', () => dropped.add());
  const { address: host, port } = await listen(server, options.address, options.reusePort);
  let stopped: Promise<void> | null = null;
  return {
    address: { host, port },
    stop: () => (stopped ??= stopServer(server, app, clock)),
    kill() {
      app.beginStop();
      server.close();
      server.closeAllConnections();
    },
  };
}
