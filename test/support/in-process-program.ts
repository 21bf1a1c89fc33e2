import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Program, startProgram } from '../../actors/program.ts';
import { ConfigError, loadConfigFile, toConfig } from '../../src/config/load-config.ts';
import { type ConfigFile, configSchema } from '../../src/config/schema.ts';
import type { ReloadReport } from '../../src/inspector/settings-report.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import { systemRandom } from '../../src/kit/random.ts';
import { ROOM_VERSIONS } from '../../src/matrix/rooms/room-versions.ts';
import { createHttpClient, type HttpClient } from './http-client.ts';

const BUILT_IN = new URL('../../config.toml', import.meta.url);

/** How many connections are opened at most to reach one certain gateway: the kernel deals them out by chance. */
const CONNECTIONS_TRIED_MAX = 200;

/** How a whole server is started on the thread of the test. */
export interface InProcessOptions {
  readonly gateways?: number;
  /** An existing data folder; a new one otherwise. */
  readonly folder?: string;
  /** `TROUPE_…` variables beside those that every test server has. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The whole program with its real threads and sockets, whose supervisor the test holds. */
export interface InProcessProgram {
  readonly program: Program;
  readonly address: { readonly host: string; readonly port: number };
  readonly folder: string;
  /** Where the program said that it cannot go on. */
  readonly failures: readonly Error[];
  /**
   * A connection to one certain gateway thread, for one request after the other: two at a time would open a second one, to anywhere.
   *
   * @throws Error (rejection) when none of many connections came out there
   */
  connectTo(gateway: string, token: string | null): Promise<HttpClient>;
  /**
   * Has it read its configuration again, with `TROUPE_…` variables over those that it was started with. Its threads take what has changed
   * between two of their turns.
   */
  reconfigure(environment: Readonly<Record<string, string>>): ReloadReport;
  /** Stops it, gracefully; the folder stays. */
  stop(): Promise<void>;
  /** Stops it and removes its folder. */
  dispose(): Promise<void>;
}

const ROOM_VERSION_IDS = ROOM_VERSIONS.map(({ id }) => id);

function fileOf(options: InProcessOptions, folder: string): ConfigFile {
  return loadConfigFile({
    defaults: { file: 'config.toml', text: readFileSync(BUILT_IN, 'utf8') },
    environment: {
      TROUPE_DATA_PATH: folder,
      TROUPE_SERVER_LISTEN: '127.0.0.1:0',
      TROUPE_INSPECTOR_LISTEN: '127.0.0.1:0',
      TROUPE_RATE_LIMITS_ENABLED: 'false',
      TROUPE_REGISTRATION_OPEN: 'true',
      TROUPE_LOG_LEVEL: 'silent',
      TROUPE_SERVER_GATEWAYS: String(options.gateways ?? 1),
      ...options.environment,
    },
    roomVersions: ROOM_VERSION_IDS,
  });
}

const PROBE = '/_matrix/client/versions';

/** Starts the whole server in this process and waits until it answers. */
export async function startInProcess(options: InProcessOptions = {}): Promise<InProcessProgram> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'troupe-in-process-'));
  const failures: Error[] = [];
  const started = fileOf(options, folder);
  let changed: Readonly<Record<string, string>> = {};
  const read = () => {
    try {
      return fileOf({ ...options, environment: { ...options.environment, ...changed } }, folder);
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
  };
  const program = await startProgram({
    config: toConfig(started, 2),
    configuration: { schema: configSchema(ROOM_VERSION_IDS), started, read },
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    onFailure: (error) => failures.push(error),
  });
  const { address } = program;
  const probesAt = (gateway: string): number =>
    program.supervisor.figures(gateway).counters.get(`http.endpoint.GET ${PROBE}.requests`) ?? 0;
  let stopped: Promise<void> | null = null;
  const stop = (): Promise<void> => (stopped ??= program.stop());
  return {
    program,
    address,
    folder,
    failures,
    async connectTo(gateway, token) {
      for (let tried = 0; tried < CONNECTIONS_TRIED_MAX; tried += 1) {
        const client = createHttpClient(address, token);
        const before = probesAt(gateway);
        await client.get(PROBE);
        if (probesAt(gateway) > before) return client;
        client.close();
      }
      throw new Error(`no connection came out at ${gateway}`);
    },
    reconfigure(environment) {
      changed = environment;
      const report = program.reload();
      if (report === null) throw new Error('the program was started without a configuration to read again');
      return report;
    },
    stop,
    async dispose() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
