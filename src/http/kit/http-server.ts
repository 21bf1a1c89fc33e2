import { type Server, createServer } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { ListenAddress } from '../../config/config.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Metrics } from '../../kit/metrics.ts';
import { refuse } from '../../matrix/refusal.ts';
import { CORS_HEADERS, refusalText } from './answer.ts';
import type { App } from './app.ts';
import type { CertificateFiles } from './tls-certificate.ts';

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

/** With TLS or without. */
type AnyServer = Server | TlsServer;

const LIMITS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
  maxHeaderSize: HEADERS_BYTES_MAX,
  noDelay: true,
};

function listen(server: AnyServer, address: ListenAddress, reusePort: boolean): Promise<AddressInfo> {
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

/** Cuts everything off. The HTTP server knows no connection whose TLS is not done. */
function cutOff(server: AnyServer, sockets: ReadonlySet<Socket>): void {
  server.closeAllConnections();
  for (const socket of sockets) socket.destroy();
}

function stopServer(
  server: AnyServer,
  sockets: ReadonlySet<Socket>,
  { app, clock }: HttpServerOptions,
): Promise<void> {
  return new Promise((resolve) => {
    const deadline = clock.after(DRAIN_DEADLINE_MS, () => cutOff(server, sockets));
    server.close(() => {
      clock.cancel(deadline);
      resolve();
    });
    app.beginStop();
  });
}

/** What a listening server is made of. */
export interface HttpServerOptions {
  readonly app: App;
  /** Port 0 means any free one. */
  readonly address: ListenAddress;
  /** Several threads listen on the same port and the kernel deals the connections out. */
  readonly reusePort: boolean;
  /** With TLS by these files, which are read again when they change; null for none. */
  readonly certificate?: CertificateFiles | null;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Makes the server, not listening yet; `end` ends what goes on beside it. */
async function openServer({ certificate = null, clock, log }: HttpServerOptions): Promise<{
  readonly server: AnyServer;
  readonly end: () => void;
}> {
  if (certificate === null) return { server: createServer(LIMITS), end: () => undefined };
  // Behind a proxy nothing of TLS is loaded.
  const { openTlsServer } = await import('./tls-certificate.ts');
  return openTlsServer(certificate, { ...LIMITS, handshakeTimeout: HEADERS_TIMEOUT_MS }, { clock, log });
}

/** The connections of a server, from their first moment. */
function socketsOf(server: AnyServer): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

/**
 * Starts an HTTP server for an app, with TLS or without.
 *
 * @throws Error (rejection) when it cannot listen there; CertificateUnusable
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { app } = options;
  const { server, end } = await openServer(options);
  const sockets = socketsOf(server);
  server.maxConnections = CONNECTIONS_MAX;
  server.on('request', app.listener);
  // Reading the body says 100 Continue: who will be refused need not send it.
  server.on('checkContinue', app.listener);
  server.on('clientError', answerBrokenRequest);
  const dropped = options.metrics.counter('http.connections-dropped');
  server.on('drop', () => dropped.add());
  const { address: host, port } = await listen(server, options.address, options.reusePort).catch(
    (error: unknown) => {
      end();
      throw error;
    },
  );
  let stopped: Promise<void> | null = null;
  return {
    address: { host, port },
    stop() {
      end();
      return (stopped ??= stopServer(server, sockets, options));
    },
    kill() {
      end();
      app.beginStop();
      server.close();
      cutOff(server, sockets);
    },
  };
}
