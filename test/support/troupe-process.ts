import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const START = new URL('../../src/start.mjs', import.meta.url).pathname;
const CHECK_NODE = new URL('../../src/check-node.mjs', import.meta.url).pathname;
const MISCHIEF = new URL('mischief-preload.mjs', import.meta.url).pathname;
/** Where a binary that is under test unpacks its parts: beside the caches of the tools. */
const CACHE_FOLDER = new URL('../../node_modules/.cache/troupe-binary', import.meta.url).pathname;

/** The one-file program that the stories are to be told of, instead of the sources: `TROUPE_BINARY=dist/troupe`. */
const BINARY = process.env['TROUPE_BINARY'];

interface ProgramCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** How the program is started, and how the test's own code gets into each of its threads. */
function programCommand(mischief: boolean): ProgramCommand {
  if (BINARY === undefined || BINARY === '') {
    // As `npm start` does: from the bundle that the test script has made, or from the sources.
    const args = mischief ? ['--import', CHECK_NODE, '--import', MISCHIEF, MAIN] : [START];
    return { program: process.execPath, args, environment: {} };
  }
  const preload = mischief ? { NODE_OPTIONS: `--require ${MISCHIEF}` } : {};
  return {
    program: resolvePath(BINARY),
    args: [],
    environment: { TROUPE_CACHE_DIR: CACHE_FOLDER, ...preload },
  };
}

/** How a whole server is started for a test. */
export interface TroupeOptions {
  readonly gateways?: number;
  /** `TROUPE_…` variables beside those that every test server has. */
  readonly environment?: Readonly<Record<string, string>>;
  /** An existing data folder; a new one otherwise. */
  readonly folder?: string;
  /** Lets the test block and crash its threads. */
  readonly mischief?: boolean;
  /** Of the command line. */
  readonly args?: readonly string[];
}

/** What a test may do to the threads of a server that was started with `mischief`; null stands for all worker threads. */
export interface Mischief {
  readonly kind: 'block' | 'crash';
  readonly thread: string | null;
}

/** A whole server in a process of its own, as a user starts it. */
export interface TroupeProcess {
  readonly url: string;
  readonly inspectorUrl: string;
  /** Where it listens with TLS; null when it does not. */
  readonly federationUrl: string | null;
  readonly folder: string;
  readonly pid: number;
  /** Of the first start; null on later ones. */
  readonly firstToken: string | null;
  /** What it has printed so far. */
  output(): string;
  /** SIGTERM, and waits for the end. Gives the exit code. */
  stop(): Promise<number | null>;
  /** Blocks or crashes threads. */
  mischief(what: Mischief): void;
  /** Lets all go on that were blocked last. */
  unblock(): void;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** Ends it however it is and removes its folder. */
  dispose(): Promise<void>;
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}

/** How the program is started on a data folder, with what every test server has. */
export function programFor(
  folder: string,
  environment: Readonly<Record<string, string>> = {},
  mischief = false,
): { readonly program: string; readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv } {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TROUPE_')),
  );
  const command = programCommand(mischief);
  const env = {
    ...inherited,
    ...command.environment,
    TROUPE_DATA_PATH: folder,
    TROUPE_SERVER_LISTEN: '127.0.0.1:0',
    TROUPE_INSPECTOR_LISTEN: '127.0.0.1:0',
    TROUPE_RATE_LIMITS_ENABLED: 'false',
    TROUPE_LOG_LEVEL: 'warn',
    ...environment,
  };
  return { program: command.program, args: command.args, env };
}

/** Starts the program and collects what it prints. */
export function spawnTroupe(
  folder: string,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  mischief = false,
  input: 'ignore' | 'pipe' = 'ignore',
): { readonly child: ChildProcess; readonly output: () => string } {
  const { program, args: before, env } = programFor(folder, environment, mischief);
  const ipc: 'ipc'[] = mischief ? ['ipc'] : [];
  const child = spawn(program, [...before, ...args], { env, stdio: [input, 'pipe', 'pipe', ...ipc] });
  let printed = '';
  child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  return { child, output: () => printed };
}

/** Resolves when the program has printed a text that matches; rejects when it ends before. */
function printedMatch(child: ChildProcess, output: () => string, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const match = pattern.exec(output());
      if (match === null) return;
      child.stdout?.off('data', look);
      child.off('exit', fail);
      resolve(match);
    };
    const fail = (code: number | null): void =>
      reject(new Error(`the server ended with ${code}:\n${output()}`));
    child.stdout?.on('data', look);
    child.once('exit', fail);
    look();
  });
}

/** Starts a server on free ports and waits until it listens. */
export async function startTroupe(options: TroupeOptions = {}): Promise<TroupeProcess> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'troupe-story-'));
  const environment = {
    TROUPE_REGISTRATION_OPEN: 'true',
    TROUPE_SERVER_GATEWAYS: String(options.gateways ?? 1),
    ...options.environment,
  };
  const { child, output } = spawnTroupe(folder, environment, options.args, options.mischief);
  try {
    await printedMatch(child, output, /Ready\./);
  } catch (error) {
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const find = (pattern: RegExp): string | null => pattern.exec(output())?.[1] ?? null;
  return {
    url: find(/listening on\s+(http:\/\/\S+)/) ?? '',
    inspectorUrl: find(/inspector\s+(http:\/\/\S+)/) ?? '',
    federationUrl: find(/with TLS\s+(https:\/\/\S+)/),
    folder,
    pid: child.pid ?? 0,
    firstToken: find(/registration token\s+(\S+)/),
    output,
    stop() {
      child.kill('SIGTERM');
      return ended(child);
    },
    mischief: (what) => void child.send(what),
    unblock: () => void child.send({ kind: 'unblock' }),
    async kill() {
      child.kill('SIGKILL');
      await ended(child);
    },
    async dispose() {
      child.kill('SIGKILL');
      await ended(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
