import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const CHECK_NODE = new URL('../../src/check-node.mjs', import.meta.url).pathname;
const MISCHIEF = new URL('mischief-preload.mjs', import.meta.url).pathname;

/** How a whole server is started for a test. */
export interface TroupeOptions {
  readonly gateways?: number;
  /** `TROUPE_…` variables beside those that every test server has. */
  readonly environment?: Readonly<Record<string, string>>;
  /** An existing data folder; a new one otherwise. */
  readonly folder?: string;
  /** Lets the test block and crash its threads. */
  readonly mischief?: boolean;
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

/** Starts the program and collects what it prints. */
export function spawnTroupe(
  folder: string,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  mischief = false,
): { readonly child: ChildProcess; readonly output: () => string } {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TROUPE_')),
  );
  const preload = mischief ? ['--import', MISCHIEF] : [];
  const ipc: 'ipc'[] = mischief ? ['ipc'] : [];
  const child = spawn(process.execPath, ['--import', CHECK_NODE, ...preload, MAIN, ...args], {
    env: {
      ...inherited,
      TROUPE_DATA_PATH: folder,
      TROUPE_SERVER_LISTEN: '127.0.0.1:0',
      TROUPE_INSPECTOR_LISTEN: '127.0.0.1:0',
      TROUPE_RATE_LIMITS_ENABLED: 'false',
      TROUPE_LOG_LEVEL: 'warn',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe', ...ipc],
  });
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
  const { child, output } = spawnTroupe(folder, environment, [], options.mischief);
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
