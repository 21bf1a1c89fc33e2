import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A server under measurement, in a process of its own with an empty data folder. */
export interface BenchServer {
  readonly port: number;
  readonly pid: number;
  /** From the start of the process to its first 200, in milliseconds. */
  readonly startedInMs: number;
  /** Resident memory in megabytes. */
  memoryMb(): number;
  stop(): Promise<void>;
}

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const STARTER = new URL('../../src/start.mjs', import.meta.url).pathname;
const PREPARE = new URL('../../scripts/prepare-start.ts', import.meta.url).pathname;
const CHECK_NODE = new URL('../../src/check-node.mjs', import.meta.url).pathname;
const START_WAIT_MS = 30_000;

/** Resident memory of a process in megabytes, as the kernel counts it. */
export function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const match = /VmRSS:\s+(\d+) kB/.exec(status);
  if (match === null) throw new Error(`no VmRSS of process ${pid}`);
  return Number(match[1]) / 1_024;
}

/** The kernel counts processor time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** Processor time that a process has used on all its threads, user and system, in milliseconds. */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

/** What a server that has nothing to do uses at most of a processor. */
const QUIET_SHARE = 0.02;
const QUIET_MS = 500;
/** Under a profiler a server is never quiet. */
const QUIET_ROUNDS_MAX = 10;

/** Waits until a process has worked off what it does by itself, for five seconds at most: what is measured then is what is asked for. */
export async function untilQuiet(pid: number): Promise<void> {
  for (let round = 0; round < QUIET_ROUNDS_MAX; round += 1) {
    const before = processorMs(pid);
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    if (processorMs(pid) - before <= QUIET_SHARE * QUIET_MS) return;
  }
}

/** Starts a process that prints `http://…:PORT` when it listens, and waits for its first 200 under `path`. */
export async function startProcess(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  path: string,
  program: string = process.execPath,
): Promise<{ readonly child: ChildProcess; readonly port: number; readonly startedInMs: number }> {
  const startedAt = performance.now();
  const child = spawn(program, argv, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await listeningPort(child);
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
  return { child, port, startedInMs: performance.now() - startedAt };
}

function listeningPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const timer = setTimeout(
      () => reject(new Error(`no address within ${START_WAIT_MS} ms: ${printed}`)),
      START_WAIT_MS,
    );
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${printed}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      const match = /http:\/\/[^\s:]+:(\d+)/.exec(printed);
      if (match === null) return;
      clearTimeout(timer);
      resolve(Number(match[1]));
    });
  });
}

/** Ends a process and waits until it has. */
export function endProcess(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

/** Makes the bundle that `npm start` runs from its second time on, unless there is one; takes some ten seconds. */
export async function prepareStart(): Promise<void> {
  // It would end with its standard input.
  const child = spawn(process.execPath, [PREPARE], { stdio: ['pipe', 'ignore', 'inherit'] });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error('no bundle could be made for npm start');
}

/**
 * Starts Troupe on free ports with open registration and no rate limits.
 *
 * @param options `nodeFlags` such as `--cpu-prof`; `environment` adds `TROUPE_…` variables; `binary` is run instead of the sources; with `starter`
 *   it is started as `npm start` does
 */
export async function startServer(
  options: {
    readonly nodeFlags?: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
    readonly binary?: string;
    readonly starter?: boolean;
  } = {},
): Promise<BenchServer> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const environment = {
    TROUPE_DATA_PATH: folder,
    TROUPE_SERVER_LISTEN: '127.0.0.1:0',
    TROUPE_INSPECTOR_LISTEN: '127.0.0.1:0',
    TROUPE_REGISTRATION_OPEN: 'true',
    TROUPE_RATE_LIMITS_ENABLED: 'false',
    TROUPE_LOG_LEVEL: 'warn',
    ...options.environment,
  };
  const { binary } = options;
  const program = options.starter === true ? [STARTER] : ['--import', CHECK_NODE, MAIN];
  const argv = binary === undefined ? [...(options.nodeFlags ?? []), ...program] : [];
  const { child, port, startedInMs } = await startProcess(
    argv,
    environment,
    '/_matrix/client/versions',
    binary,
  );
  const pid = child.pid ?? 0;
  return {
    port,
    pid,
    startedInMs,
    memoryMb: () => residentMb(pid),
    async stop() {
      await endProcess(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
