import { connect, type Socket } from 'node:net';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import type { Config } from '../../../../src/config/config.ts';
import { type App, createApp } from '../../../../src/http/kit/app.ts';
import type { Endpoint } from '../../../../src/http/kit/endpoint.ts';
import { type HttpServer, startHttpServer } from '../../../../src/http/kit/http-server.ts';
import type { Services } from '../../../../src/http/kit/services.ts';
import { type Clock, systemClock } from '../../../../src/kit/clock.ts';
import type { LogFields, Logger } from '../../../../src/kit/logger.ts';
import type { Metrics } from '../../../../src/kit/metrics.ts';
import { seededRandom } from '../../../../src/kit/random.ts';
import { createThreadCaches } from '../../../../src/streams/cache-store.ts';
import type { ThreadCaches } from '../../../../src/streams/cache.ts';
import { createHttpClient, type HttpClient } from '../../../support/http-client.ts';

/** A line that the app logged. */
export interface LogLine extends LogFields {
  readonly level: string;
  readonly message: string;
}

function collectingLogger(lines: LogLine[], fields: LogFields = {}): Logger {
  const write = (level: string) => (message: string, more?: LogFields) =>
    void lines.push({ ...fields, ...more, level, message });
  return {
    level: 'debug',
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (more) => collectingLogger(lines, { ...fields, ...more }),
  };
}

function collectingMetrics(figures: Map<string, number>, changed: () => void): Metrics {
  const add = (name: string, amount: number): void => {
    figures.set(name, (figures.get(name) ?? 0) + amount);
    changed();
  };
  return {
    counter: (name) => ({ add: (amount = 1) => add(name, amount) }),
    gauge: (name) => ({ set: (value) => void figures.set(name, value), read: () => figures.get(name) ?? 0 }),
    histogram: (name) => ({ record: () => add(name, 1) }),
    text: () => ({ set: () => undefined }),
  };
}

const ANY_RATE = { perSecond: 1000, burst: 1000 };

/** Only what the kit and its own endpoints read of the configuration. */
export function testConfig(change: { readonly [Key in keyof Config]?: Partial<Config[Key]> } = {}): Config {
  return {
    server: {
      name: 'example.org',
      listen: { host: '127.0.0.1', port: 0 },
      gateways: 1,
      publicBaseUrl: '',
      trustedProxies: [],
      adminContact: '',
      supportPage: '',
      ...change.server,
    },
    media: { urlPreviews: true, ...change.media },
    federation: { listen: null, tlsCertificate: '', tlsKey: '', ...change.federation },
    delayedEvents: { maxDelayMs: 86_400_000, maxScheduled: 100, ...change.delayedEvents },
    rtc: { livekitServiceUrls: [], ...change.rtc },
    voip: {
      turnUris: [],
      turnSharedSecret: '',
      turnUser: '',
      turnPassword: '',
      ttlMs: 86_400_000,
      allowGuests: true,
      ...change.voip,
    },
    serverNotices: {
      enabled: true,
      localpart: 'notices',
      displayName: 'Server Notices',
      avatarUrl: '',
      roomName: 'Server Notices',
      ...change.serverNotices,
    },
    wellKnown: { client: {}, policyServerKeys: {}, ...change.wellKnown },
    rooms: { defaultVersion: '12', publishBy: 'moderators', directoryForEverybody: true, ...change.rooms },
    rateLimits: {
      enabled: true,
      login: ANY_RATE,
      registration: ANY_RATE,
      message: ANY_RATE,
      membership: ANY_RATE,
      reading: ANY_RATE,
      ephemeral: ANY_RATE,
      media: ANY_RATE,
      ...change.rateLimits,
    },
  } as Config;
}

/** A database that holds no tokens. */
export const emptyDb: ReadDb = {
  all: () => Promise.resolve([]),
  find: () => Promise.resolve(undefined),
  get: () => Promise.reject(new Error('there is no row')),
  snapshot: (work) => work(emptyDb),
};

/** What a test app is made of; everything has a default. */
export interface TestAppOptions {
  readonly config?: Config;
  readonly clock?: Clock;
  readonly db?: ReadDb;
  readonly services?: Partial<Services>;
}

/** An app on a real socket. */
export interface TestApp {
  readonly app: App;
  readonly server: HttpServer;
  readonly client: HttpClient;
  readonly caches: ThreadCaches;
  readonly lines: readonly LogLine[];
  /** The access log's lines. */
  readonly accesses: () => readonly LogLine[];
  readonly figures: ReadonlyMap<string, number>;
  /** Resolves when a figure has reached a value, and the turn that brought it there is over. */
  figuresReach(name: string, value: number): Promise<void>;
  /** A raw connection; it is closed with the app. */
  connect(): Promise<RawConnection>;
  close(): Promise<void>;
}

/** A connection that a test writes bytes to. */
export interface RawConnection {
  readonly socket: Socket;
  write(text: string | Uint8Array): void;
  /** Resolves when what has come in so far fits. */
  received(fits: (text: string) => boolean): Promise<string>;
  /** Resolves with everything that came in, when the other side has closed. */
  closed(): Promise<string>;
}

function rawConnection(socket: Socket): RawConnection {
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  return {
    socket,
    write: (bytes) => void socket.write(bytes),
    received: (fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (fits(text)) resolve(text);
        };
        socket.on('data', look);
        socket.on('close', () => (fits(text) ? resolve(text) : reject(new Error(`closed after: ${text}`))));
        look();
      }),
    closed: () =>
      new Promise((resolve) => {
        if (socket.closed) resolve(text);
        else socket.once('close', () => resolve(text));
      }),
  };
}

/** Serves endpoints on a free port. Close it in `afterEach`. */
export async function startTestApp(
  endpoints: readonly Endpoint[],
  options: TestAppOptions = {},
): Promise<TestApp> {
  const lines: LogLine[] = [];
  const figures = new Map<string, number>();
  const watchers = new Set<() => void>();
  const metrics = collectingMetrics(figures, () => {
    for (const look of watchers) look();
  });
  const { config = testConfig(), clock = systemClock, db = emptyDb } = options;
  const random = seededRandom(1);
  const caches = createThreadCaches({ db, metrics });
  // The kit itself tells which devices are used.
  const accounts = { name: 'accounts', tell: () => 'sent' };
  const services = { config, clock, random, db, accounts, cached: caches, ...options.services } as Services;
  const log = collectingLogger(lines);
  const app = createApp({ endpoints, services, config, log, clock, random, metrics });
  const { listen } = config.server;
  const server = await startHttpServer({ app, address: listen, reusePort: false, clock, metrics, log });
  const client = createHttpClient(server.address);
  const sockets: Socket[] = [];
  return {
    app,
    server,
    client,
    caches,
    lines,
    accesses: () => lines.filter(({ message }) => message === 'request'),
    figures,
    figuresReach: (name, value) =>
      new Promise((resolve) => {
        const look = (): void => {
          if ((figures.get(name) ?? 0) < value) return;
          watchers.delete(look);
          // The line of the log is written in the same turn, after the figures.
          setImmediate(resolve);
        };
        watchers.add(look);
        look();
      }),
    connect: () =>
      new Promise((resolve, reject) => {
        const socket = connect(server.address.port, server.address.host, () =>
          resolve(rawConnection(socket)),
        );
        socket.once('error', reject);
        sockets.push(socket);
      }),
    async close() {
      client.close();
      for (const socket of sockets) socket.destroy();
      server.kill();
      await server.stop();
    },
  };
}
