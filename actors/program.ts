import { createServer, type AddressInfo } from 'node:net';
import { IDENTITY_QUERIES, loadIdentity } from '../db/identity/identity.ts';
import { lockFolder } from '../db/kit/folder-lock.ts';
import { openGroupCommit } from '../db/kit/group-commit.ts';
import { applyMigrations } from '../db/kit/migrator.ts';
import { openReadDb } from '../db/kit/read-connections.ts';
import { databasePath } from '../db/kit/sqlite.ts';
import type { Config, ListenAddress } from '../src/config/config.ts';
import type { Clock } from '../src/kit/clock.ts';
import type { Logger } from '../src/kit/logger.ts';
import { createMetricBuffer, createSlabMetrics } from '../src/kit/metric-slab.ts';
import type { Random } from '../src/kit/random.ts';
import { isRefusal } from '../src/matrix/refusal.ts';
import type { ServerKey } from '../src/matrix/signing.ts';
import type { Environment } from './environment.ts';
import { defineInspectorActor } from './inspector/actor.ts';
import { createMessagePortLink } from './kit/message-port-link.ts';
import { eventLoopScheduler } from './kit/scheduler.ts';
import { MAIN_THREAD, type SupervisionTree } from './kit/supervision-tree.ts';
import { createSupervisor, type Supervisor } from './kit/supervisor.ts';
import { WATCHDOG_DEFAULTS } from './kit/watchdog.ts';
import { createVitalSource } from './kit/vitals.ts';
import { createWorkerPlatform } from './kit/worker-platform.ts';
import type { ActorMap } from './protocols.ts';
import { loadActors } from './registry.ts';
import { gatewayThread, supervisionTree } from './supervision.ts';
import { openThreadEnvironment, type ProgramData } from './thread-environment.ts';

/** Space for new objects on each worker thread: more would be resident for good, less would be collected too often under load. */
const YOUNG_GENERATION_MB = 24;

/** What a running server is made of. */
export interface ProgramOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Called once when the server cannot go on; everything was stopped before. */
  onFailure(error: Error): void;
}

/** A running server. */
export interface Program {
  /** Where clients reach it, and where the inspector is; ports are never 0. */
  readonly address: ListenAddress;
  readonly inspectorAddress: ListenAddress;
  /** Where other servers reach it with TLS; null where a proxy brings that. */
  readonly federationAddress: ListenAddress | null;
  /** The one-time registration token for the first administrator; null once there is one. */
  readonly firstToken: string | null;
  readonly supervisor: Supervisor<ActorMap>;
  /** Ends it gracefully: HTTP first, the store last. */
  stop(): Promise<void>;
}

/** Reads or makes the server's identity, over connections that are closed again before any thread opens its own. */
async function openIdentity({ config, clock, random, log }: ProgramOptions): Promise<ServerKey> {
  const path = databasePath(config.data.path);
  const metrics = createSlabMetrics(createMetricBuffer());
  const db = openReadDb(path, { metrics, clock, log });
  const write = openGroupCommit({ path, queries: IDENTITY_QUERIES, streams: [], metrics, clock, log });
  try {
    return await loadIdentity(db, write, { serverName: config.server.name, clock, random });
  } finally {
    write.close();
    db.close();
  }
}

/** An address of the configuration cannot be listened on. */
export class AddressUnusable extends Error {
  constructor(option: string, { host, port }: ListenAddress, cause: NodeJS.ErrnoException) {
    const reason = cause.code === 'EADDRINUSE' ? 'another program listens there' : cause.message;
    super(`${option} = "${host}:${port}" cannot be used: ${reason}`);
    this.name = 'AddressUnusable';
  }
}

/**
 * Tries an address before anything starts, so that a port that is taken is one clear message. Gives the port as well, since all gateways,
 * and each of their later lives, have to listen on the same one.
 */
function tryAddress(option: string, address: ListenAddress): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => reject(new AddressUnusable(option, address, error)));
    probe.listen(address, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve({ ...address, port }));
    });
  });
}

/** The configuration with the ports that are really listened on. What cannot work is said now, before anything starts. */
async function tryListeners(config: Config): Promise<Config> {
  const { server, federation, inspector } = config;
  const listen = await tryAddress('server.listen', server.listen);
  await tryAddress('inspector.listen', inspector.listen);
  if (federation.caFile !== '') {
    const { readAuthorities } = await import('../src/http-client/authorities.ts');
    readAuthorities(federation.caFile);
  }
  if (federation.listen === null) return { ...config, server: { ...server, listen } };
  const { readCertificate } = await import('../src/http/kit/tls-certificate.ts');
  readCertificate({ certificate: federation.tlsCertificate, key: federation.tlsKey });
  const secure = await tryAddress('federation.listen', federation.listen);
  return { ...config, server: { ...server, listen }, federation: { ...federation, listen: secure } };
}

async function readFirstToken(supervisor: Supervisor<ActorMap>): Promise<string | null> {
  const first = await supervisor.ref('accounts').ask('accounts.first-token', null);
  if (isRefusal(first)) throw new Error(`the first registration token cannot be stored: ${first.error}`);
  return first?.token ?? null;
}

interface Supervised {
  readonly tree: SupervisionTree;
  readonly data: ProgramData;
  /** The names of the actors of the main thread, and their definitions but for the inspector's. */
  readonly onMain: readonly string[];
  readonly definition: Awaited<ReturnType<typeof loadActors>>;
}

function supervise(options: ProgramOptions, supervised: Supervised) {
  const { clock, random, log } = options;
  const { tree, data, onMain, definition } = supervised;
  let close = (): void => undefined;
  const supervisor: Supervisor<ActorMap> = createSupervisor<ActorMap, Environment>({
    tree,
    platform: createWorkerPlatform({
      entry: new URL('thread-main.ts', import.meta.url),
      data,
      worker: { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } },
    }),
    clock,
    random,
    log,
    scheduler: eventLoopScheduler,
    watchdog: WATCHDOG_DEFAULTS,
    onFailure: (error) => options.onFailure(error),
    main(metrics) {
      const opened = openThreadEnvironment({
        ...data,
        thread: MAIN_THREAD,
        actors: onMain,
        random,
        clock,
        metrics,
        log,
      });
      close = opened.close;
      return {
        env: opened.env,
        definition: (name) =>
          name === 'inspector'
            ? defineInspectorActor({
                status: () => supervisor.status(),
                figures: (thread) => supervisor.figures(thread),
                restart: (actor) => supervisor.restart(actor),
              })
            : definition(name),
        vitals: createVitalSource(),
        openLink: (end) => createMessagePortLink(end as Parameters<typeof createMessagePortLink>[0]),
      };
    },
  });
  return { supervisor, close: () => close() };
}

/**
 * Starts the whole server: locks and migrates the data folder, reads who it is, starts every thread and actor. Resolves when it answers.
 *
 * @throws FolderInUse, MigrationRefused, WrongServerName, PlacementError, AddressUnusable, CertificateUnusable, AuthoritiesUnusable
 */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const lock = lockFolder(options.config.data.path);
  try {
    applyMigrations(databasePath(options.config.data.path), options.log);
    const serverKey = await openIdentity(options);
    const config = await tryListeners(options.config);
    const data: ProgramData = { config, serverKey };
    const tree = supervisionTree(config);
    const onMain =
      tree.threads.find(({ name }) => name === MAIN_THREAD)?.actors.map(({ name }) => name) ?? [];
    const definition = await loadActors(onMain.filter((name) => name !== 'inspector'));
    const { supervisor, close } = supervise(options, { tree, data, onMain, definition });
    await supervisor.start();
    const { federation, ...address } = await supervisor
      .ref(`http@${gatewayThread(1)}`)
      .ask('http.read-addresses', null);
    const inspectorAddress = await supervisor.ref('inspector').ask('inspector.read-address', null);
    const firstToken = await readFirstToken(supervisor);
    return {
      address,
      inspectorAddress,
      federationAddress: federation,
      firstToken,
      supervisor,
      async stop() {
        await supervisor.stop();
        close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
