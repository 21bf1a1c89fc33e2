import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Door, openDoor } from '../door.ts';
import { createHttpClient, type HttpClient } from '../http-client.ts';
import { testAuthority } from '../test-certificates.ts';
import { freePort } from '../free-port.ts';
import { prepareSynapse } from './environment.ts';

/** A Synapse that runs: homeserver of its own name on a loopback address, without rate limits, open for registration. */
export interface SynapsePeer {
  /** `localhost:PORT`, the port that of the door. */
  readonly serverName: string;
  /** Its client-server API. */
  readonly url: string;
  /** What other servers come through. */
  readonly door: Door;
  /** A client of its client-server API. What it answers is not held against the specification. */
  readonly http: HttpClient;
  /** What it has logged so far. */
  log(): string;
  /** The lines of its log that somebody should look at. */
  complaints(): string;
  /** Ends it however it is, and removes its folder. */
  dispose(): Promise<void>;
}

/** How long it may take to start, in milliseconds: 5 s on a machine with nothing else to do. */
const START_TIMEOUT_MS = 60_000;
const LOOK_AGAIN_MS = 50;
const COMPLAINT = / (WARNING|ERROR|CRITICAL) /;
const UNLIMITED = { per_second: 10_000, burst_count: 10_000 };

interface Ports {
  readonly tls: number;
  readonly plain: number;
}

/** Its configuration. JSON, which is YAML. */
function configurationOf(serverName: string, folder: string, ports: Ports): object {
  const files = testAuthority().writeTo(folder);
  const listener = { type: 'http', bind_addresses: ['127.0.0.1'] };
  const resources = [{ names: ['client', 'federation'], compress: false }];
  return {
    server_name: serverName,
    report_stats: false,
    pid_file: join(folder, 'pid'),
    log_config: join(folder, 'log.json'),
    signing_key_path: join(folder, 'signing.key'),
    media_store_path: join(folder, 'media'),
    database: { name: 'sqlite3', args: { database: join(folder, 'homeserver.db') } },
    listeners: [
      { ...listener, port: ports.tls, tls: true, resources },
      { ...listener, port: ports.plain, tls: false, resources },
    ],
    tls_certificate_path: files.certificate,
    tls_private_key_path: files.key,
    federation_custom_ca_list: [files.ca],
    federation_ip_range_blacklist: [],
    trusted_key_servers: [],
    // Milliseconds. A peer that was cut off is asked again soon, so that nobody waits for it.
    federation: {
      client_timeout: 10_000,
      max_short_retries: 1,
      max_short_retry_delay: 200,
      max_long_retries: 2,
      max_long_retry_delay: 500,
      destination_min_retry_interval: 200,
      destination_retry_multiplier: 1,
      destination_max_retry_interval: 1_000,
    },
    bcrypt_rounds: 4,
    macaroon_secret_key: 'macaroons of the tests',
    form_secret: 'forms of the tests',
    enable_registration: true,
    enable_registration_without_verification: true,
    room_list_publication_rules: [{ action: 'allow' }],
    allow_public_rooms_over_federation: true,
    allow_public_rooms_without_auth: true,
    presence: { enabled: true },
    experimental_features: { msc3026_enabled: true },
    rc_message: UNLIMITED,
    rc_registration: UNLIMITED,
    rc_login: { address: UNLIMITED, account: UNLIMITED, failed_attempts: UNLIMITED },
    rc_joins: { local: UNLIMITED, remote: UNLIMITED },
    rc_joins_per_room: UNLIMITED,
    rc_invites: { per_room: UNLIMITED, per_user: UNLIMITED, per_issuer: UNLIMITED },
    rc_federation: { sleep_limit: 10_000, reject_limit: 10_000, concurrent: 100 },
    rc_room_creation: UNLIMITED,
    rc_key_requests: UNLIMITED,
    rc_presence: { per_user: UNLIMITED },
    rc_media_create: UNLIMITED,
  };
}

const LOGGING = {
  version: 1,
  disable_existing_loggers: false,
  formatters: { plain: { format: '%(asctime)s %(levelname)s %(name)s %(request)s %(message)s' } },
  filters: { context: { '()': 'synapse.logging.context.LoggingContextFilter' } },
  handlers: {
    out: {
      class: 'logging.StreamHandler',
      formatter: 'plain',
      filters: ['context'],
      stream: 'ext://sys.stdout',
    },
  },
  root: { level: 'INFO', handlers: ['out'] },
};

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** The same client, for answers that nobody checks. */
function unchecked(client: HttpClient): HttpClient {
  const because = { uncheckedBecause: 'it is the answer of another implementation' };
  return {
    request: (method, path, options) => client.request(method, path, { ...options, ...because }),
    get: (path, options) => client.get(path, { ...options, ...because }),
    put: (path, body, options) => client.put(path, body, { ...options, ...because }),
    post: (path, body, options) => client.post(path, body, { ...options, ...because }),
    delete: (path, options) => client.delete(path, { ...options, ...because }),
    withToken: (token) => unchecked(client.withToken(token)),
    close: () => client.close(),
  };
}

async function answers(http: HttpClient, child: ChildProcess): Promise<boolean> {
  const endsAt = performance.now() + START_TIMEOUT_MS;
  while (child.exitCode === null && performance.now() < endsAt) {
    const isUp = await http.get('/_matrix/client/versions').then(
      ({ status }) => status === 200,
      () => false,
    );
    if (isUp) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  return false;
}

/** What it writes, and the lines of it that complain. */
function collect(child: ChildProcess): Pick<SynapsePeer, 'log' | 'complaints'> {
  let written = '';
  const take = (chunk: Buffer): void => void (written += chunk.toString());
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  const complaints = (): string =>
    written
      .split('\n')
      .filter((line) => COMPLAINT.test(line))
      .join('\n');
  return { log: () => written, complaints };
}

/**
 * Starts a Synapse on free ports, with a certificate of `testAuthority`, and waits until it answers. Makes its environment first where there is
 * none yet.
 *
 * @returns why there is none where there is no Python that can run it, or no network
 */
export async function startSynapse(): Promise<SynapsePeer | { readonly missing: string }> {
  const environment = prepareSynapse();
  if ('missing' in environment) return environment;
  const folder = mkdtempSync(join(tmpdir(), 'troupe-synapse-'));
  const door = await openDoor();
  const serverName = `localhost:${door.port}`;
  const ports = { tls: await freePort(), plain: await freePort() };
  const configuration = join(folder, 'homeserver.json');
  writeFileSync(configuration, JSON.stringify(configurationOf(serverName, folder, ports)));
  writeFileSync(join(folder, 'log.json'), JSON.stringify(LOGGING));
  const args = ['-m', 'synapse.app.homeserver', '--config-path', configuration];
  const child = spawn(environment.python, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const collected = collect(child);
  const http = unchecked(createHttpClient({ host: '127.0.0.1', port: ports.plain }));
  const dispose = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended(child);
    http.close();
    await door.close();
    rmSync(folder, { recursive: true, force: true });
  };
  if (!(await answers(http, child))) {
    const written = collected.log();
    await dispose();
    throw new Error(`Synapse does not start:\n${written}`);
  }
  door.leadTo(ports.tls);
  const url = `http://127.0.0.1:${ports.plain}`;
  return { serverName, url, door, http, ...collected, dispose };
}
