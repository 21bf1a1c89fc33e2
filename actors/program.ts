import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { IDENTITY_QUERIES, loadIdentity } from '../db/identity/identity.ts';
import { lockFolder } from '../db/kit/folder-lock.ts';
import { openGroupCommit } from '../db/kit/group-commit.ts';
import { applyMigrations } from '../db/kit/migrator.ts';
import { openReadDb } from '../db/kit/read-connections.ts';
import { databasePath } from '../db/kit/sqlite.ts';
import type { Config, ListenAddress } from '../src/config/config.ts';
import type { Clock } from '../src/kit/clock.ts';
import type { Logger } from '../src/kit/logger.ts';
import type { ReloadReport } from '../src/inspector/settings-report.ts';
import type { LogLevelSwitch } from '../src/kit/log-levels.ts';
import { createMetricBuffer, createSlabMetrics } from '../src/kit/metric-slab.ts';
import { PROGRAM_FOLDER, workerSource } from '../src/kit/program-files.ts';
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
import { type ConfigurationSource, createSettingsDesk, type Settings } from './settings-desk.ts';
import { gatewayThread, headlessTree, supervisionTree } from './supervision.ts';
import { openThreadEnvironment, type ProgramData } from './thread-environment.ts';

/** Space for new objects on each worker thread: more would be resident for good, less would be collected too often under load. */
const YOUNG_GENERATION_MB = 24;

const THREAD_MODULE = join(PROGRAM_FOLDER, 'actors', 'thread-main.ts');

/** What a running server is made of. */
export interface ProgramOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What `log` goes by, so that its level can change; absent: it stays. */
  readonly logLevels?: LogLevelSwitch;
  /** From where the configuration comes; absent: it cannot be read again. */
  readonly configuration?: ConfigurationSource;
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
  /** Reads the configuration again; null when nobody said from where. */
  reload(): ReloadReport | null;
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
  readonly serverKey: ServerKey;
  /** The configuration with the ports that are really listened on. */
  readonly config: Config;
  /** The names of the actors of the main thread, and their definitions but for the inspector's. */
  readonly onMain: readonly string[];
  readonly definition: Awaited<ReturnType<typeof loadActors>>;
}

function supervise(options: ProgramOptions, supervised: Supervised) {
  const { clock, random, log } = options;
  const { tree, serverKey, config, onMain, definition } = supervised;
  const { entry, isCode } = workerSource(THREAD_MODULE);
  let close = (): void => undefined;
  const settings = createSettingsDesk({
    config,
    source: options.configuration ?? null,
    clock,
    log,
    tell: (current) => supervisor.tellThreads(current),
  });
  const data = (): ProgramData => ({ ...settings.current, serverKey });
  const supervisor: Supervisor<ActorMap> = createSupervisor<ActorMap, Environment>({
    tree,
    platform: createWorkerPlatform({
      entry,
      data,
      worker: { eval: isCode, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } },
    }),
    clock,
    random,
    log,
    scheduler: eventLoopScheduler,
    watchdog: WATCHDOG_DEFAULTS,
    onFailure: (error) => options.onFailure(error),
    main(metrics) {
      const opened = openThreadEnvironment({
        ...data(),
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
                settings,
              })
            : definition(name),
        vitals: createVitalSource(),
        takeNotice(notice) {
          options.logLevels?.set((notice as Settings).logLevels);
          opened.reconfigure(notice as Settings);
        },
        openLink: (end) => createMessagePortLink(end as Parameters<typeof createMessagePortLink>[0]),
      };
    },
  });
  const end = (): void => {
    settings.close();
    close();
  };
  return { supervisor, settings, close: end };
}

/** Starts every thread and actor of a tree. */
async function launch(options: ProgramOptions, tree: SupervisionTree, config: Config, serverKey: ServerKey) {
  const onMain = tree.threads.find(({ name }) => name === MAIN_THREAD)?.actors.map(({ name }) => name) ?? [];
  const definition = await loadActors(onMain.filter((name) => name !== 'inspector'));
  const supervised = supervise(options, { tree, serverKey, config, onMain, definition });
  await supervised.supervisor.start();
  return supervised;
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
    const { supervisor, settings, close } = await launch(options, supervisionTree(config), config, serverKey);
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
      reload: () => settings.reload(),
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

/** A server without listeners: it takes commands on the socket in its data folder, and nothing else. */
export interface HeadlessProgram {
  /** Where it takes commands; null where there can be no socket. */
  readonly controlPath: string | null;
  stop(): Promise<void>;
}

/**
 * Starts what a command needs of a server that does not run: the owners, and who takes commands; no gateways, nobody who speaks to other
 * servers, no inspector. It holds the data folder as a whole server does.
 *
 * @throws FolderInUse, MigrationRefused, WrongServerName, PlacementError
 */
export async function startHeadless(options: ProgramOptions): Promise<HeadlessProgram> {
  const { config, log } = options;
  const lock = lockFolder(config.data.path);
  try {
    applyMigrations(databasePath(config.data.path), log);
    const serverKey = await openIdentity(options);
    const { supervisor, close } = await launch(options, headlessTree(config), config, serverKey);
    const address = await supervisor.ref('control').ask('control.read-address', null);
    return {
      controlPath: address?.path ?? null,
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
