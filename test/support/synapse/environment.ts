import { createHash } from 'node:crypto';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const REQUIREMENTS = new URL('requirements.txt', import.meta.url).pathname;
const CACHE = new URL('../../../node_modules/.cache/synapse', import.meta.url).pathname;
/** The version of Python below which Synapse does not run. */
const PYTHON_MIN = [3, 10] as const;
const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];
/** How long the packages may take to come and be unpacked, in milliseconds: some 40 s where PyPI is near. */
const INSTALL_TIMEOUT_MS = 4 * 60_000;
/** How long the interpreter may take to start, in milliseconds. */
const PYTHON_TIMEOUT_MS = 20_000;
/** What pip prints when nobody answers it. */
const NO_NETWORK =
  /NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|No route to host|name resolution/;
/** What a Python needs to have, and which one it is. */
const LOOK = 'import ensurepip, sys, venv; print("%d.%d" % sys.version_info[:2])';

/** Where Synapse can be run from, or why it cannot. */
export type SynapseEnvironment = { readonly python: string } | { readonly missing: string };

function run(program: string, args: readonly string[], timeoutMs: number): SpawnSyncReturns<string> {
  return spawnSync(program, args, {
    encoding: 'utf8',
    timeout: timeoutMs,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The first interpreter that is new enough, with its version. */
function findPython(): { readonly program: string; readonly version: string } | undefined {
  for (const program of PYTHONS) {
    const { status, stdout } = run(program, ['-c', LOOK], PYTHON_TIMEOUT_MS);
    const [major = 0, minor = 0] = status === 0 ? stdout.trim().split('.').map(Number) : [];
    if (major > PYTHON_MIN[0] || (major === PYTHON_MIN[0] && minor >= PYTHON_MIN[1]))
      return { program, version: stdout.trim() };
  }
  return undefined;
}

/** Installs into a folder that nobody uses yet. Gives why there is no network, if there is none; throws when anything else is wrong. */
function install(program: string, folder: string): string | undefined {
  const made = run(program, ['-m', 'venv', folder], INSTALL_TIMEOUT_MS);
  if (made.status !== 0) throw new Error(`no virtual environment: ${made.stdout}${made.stderr}`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input'];
  const binaries = ['--retries', '2', '--only-binary', ':all:', '--requirement', REQUIREMENTS];
  const installed = run(join(folder, 'bin/python'), [...pip, ...binaries], INSTALL_TIMEOUT_MS);
  if (installed.status === 0) return undefined;
  const said = `${installed.stdout}${installed.stderr}`;
  if (installed.error !== undefined) return `pip was not done after ${INSTALL_TIMEOUT_MS} ms`;
  if (NO_NETWORK.test(said)) return 'PyPI is not to be reached';
  throw new Error(`pip failed:\n${said}`);
}

/**
 * Sees to it that there is a virtual environment with the pinned Synapse: made once, under `node_modules/.cache`, and again when the pins or the
 * Python change. Takes most of a minute the first time.
 *
 * @returns why there is none where there is no Python that can run it, or no network; throws when anything else is wrong
 */
export function prepareSynapse(): SynapseEnvironment {
  const found = findPython();
  if (found === undefined) return { missing: `no Python ${PYTHON_MIN.join('.')} or newer with venv and pip` };
  const pins = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const folder = join(CACHE, `${pins}-${found.version}`);
  const python = join(folder, 'bin/python');
  if (existsSync(python)) return { python };
  mkdirSync(CACHE, { recursive: true });
  // Only what is whole gets the name that is looked for; two that make it at once do not meet.
  const making = `${folder}-${process.pid}`;
  try {
    const missing = install(found.program, making);
    if (missing !== undefined) return { missing };
    if (!existsSync(python)) renameSync(making, folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return { python };
}
