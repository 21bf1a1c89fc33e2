import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { PROGRAM_FOLDER } from '../../src/kit/program-files.ts';

const PATIENCE_MS = 120_000;
const POLL_MS = 25;
const PARTS = [
  'src',
  'actors',
  'db',
  'scripts',
  'config.toml',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
];
const FAILING = 'src/http/client/failing/get-failure.ts';
const FAILING_LINE = 10;
const FAILING_ENDPOINT = `import { Type } from 'typebox';
import { defineEndpoint, type Reply } from '../../kit/endpoint.ts';

interface Nothing {
  readonly of: 'this';
}

function fail(): never {
  const nothing: Nothing | null = null;
  throw new Error(\`this fails, as it is meant to: \${String(nothing)}\`);
}

/** Fails. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/failing',
  spec: 'none',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({}),
  needs: [],
  handle: (): Promise<Reply> => fail(),
});
`;

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  output(): string;
  log(): string;
  /** Waits until the log has something. */
  logged(pattern: RegExp): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !isTrue(); await wait(POLL_MS))
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
}

/** What runs of a program in a folder, by the arguments of its processes. */
function processesOf(folder: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((id) => {
      try {
        return readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(folder));
}

describe('npm start', function () {
  this.timeout(PATIENCE_MS);
  let program: string;
  let cache: string;
  const running = new Set<ChildProcess>();

  /** A clone of its own: its sources are copies, its packages those of the repository. */
  before(function () {
    if (process.platform !== 'linux') this.skip();
    program = mkdtempSync(join(realpathSync(tmpdir()), 'troupe-npm-start-'));
    cache = join(program, 'node_modules', '.cache', 'troupe', 'start');
    for (const part of PARTS) cpSync(join(PROGRAM_FOLDER, part), join(program, part), { recursive: true });
    const packages = realpathSync(join(PROGRAM_FOLDER, 'node_modules'));
    mkdirSync(join(program, 'node_modules'));
    for (const name of readdirSync(packages))
      if (name !== '.cache') symlinkSync(join(packages, name), join(program, 'node_modules', name));
    mkdirSync(join(program, 'src/http/client/failing'));
    writeFileSync(join(program, FAILING), FAILING_ENDPOINT);
  });
  after(() => {
    for (const child of running) child.kill('SIGKILL');
    if (program !== undefined) rmSync(program, { recursive: true, force: true });
  });

  function run(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Omit<Started, 'url'> {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(TROUPE|NODE)_/.test(name));
    const child = spawn(process.execPath, args, {
      cwd: program,
      env: {
        ...Object.fromEntries(inherited),
        TROUPE_SERVER_LISTEN: '127.0.0.1:0',
        TROUPE_INSPECTOR_LISTEN: '127.0.0.1:0',
        TROUPE_LOG_LEVEL: 'debug',
        TROUPE_REGISTRATION_OPEN: 'true',
        ...environment,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.add(child);
    let output = '';
    let log = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    void ended.then(() => running.delete(child));
    return {
      child,
      output: () => output,
      log: () => log,
      logged: (pattern) =>
        until(() => {
          if (child.exitCode !== null && !pattern.test(log)) throw new Error(`it ended: ${output}${log}`);
          return pattern.test(log);
        }, String(pattern)),
      stop(signal) {
        if (signal !== undefined) child.kill(signal);
        return ended;
      },
    };
  }

  async function start(environment: Readonly<Record<string, string>> = {}): Promise<Started> {
    const started = run([join('src', 'start.mjs')], environment);
    await started.logged(/running the (bundle|sources)/);
    await until(() => started.output().includes('Ready.'), 'Ready.');
    return { ...started, url: /listening on\s+(\S+)/.exec(started.output())?.[1] ?? '' };
  }

  async function failure(server: Started): Promise<string> {
    const response = await fetch(`${server.url}/_matrix/client/v1/failing`);
    expect(response.status).to.equal(500);
    await server.logged(/this fails, as it is meant to: null/);
    const line = server
      .log()
      .split('\n')
      .find((one) => one.includes('this fails, as it is meant to'));
    return line ?? '';
  }

  it('makes a bundle one at a time, and leaves nothing when it is not wanted any more', async () => {
    const first = run([join(program, 'scripts', 'prepare-start.ts')]);
    await until(() => existsSync(join(cache, 'lock.db')), 'the lock');
    await until(() => readdirSync(cache).some((name) => name.startsWith('work-')), 'the work');
    const second = run([join(program, 'scripts', 'prepare-start.ts')]);
    expect(await second.stop()).to.equal(1);
    expect(second.log()).to.equal('another server is at it\n');
    // As soon as the second program runs, which records.
    await until(() => processesOf(program).some((line) => line.includes('record-code-cache')), 'a record');
    first.child.stdin?.end();
    expect(await first.stop()).to.equal(1);
    expect(first.log()).to.equal('the server has ended\n');
    await until(() => processesOf(program).length === 0, 'the end of all');
    expect(readdirSync(cache)).to.deep.equal(['lock.db']);
  });

  it('leaves nothing running when what makes the bundle is killed, and what that has left goes with the next', async () => {
    const killed = run([join(program, 'scripts', 'prepare-start.ts')]);
    await until(() => processesOf(program).some((line) => line.includes('record-code-cache')), 'a record');
    await killed.stop('SIGKILL');
    await until(() => processesOf(program).length === 0, 'the end of all');
    expect(readdirSync(cache).filter((name) => name.startsWith('work-'))).to.have.length(1);
  });

  it('runs the sources the first time, and the bundle that it has made of them the next time', async () => {
    const sources = await start();
    expect(sources.log()).to.match(/"why":"there is no bundle yet","message":"running the sources"/);
    const ofSources = await failure(sources);
    await sources.logged(/"said":"it was made","message":"there is a bundle for the next start"/);
    expect(readdirSync(cache).toSorted()).to.deep.equal(['lock.db', 'program.bundle']);
    expect(await sources.stop('SIGTERM')).to.equal(0);

    const bundle = await start();
    expect(bundle.log()).to.match(/"running the bundle of the sources"/);
    const ofBundle = await failure(bundle);
    for (const said of [ofSources, ofBundle])
      expect(said).to.match(new RegExp(`at fail\\d* \\(\\S*${FAILING}:${FAILING_LINE}\\D`));
    expect(await bundle.stop('SIGTERM')).to.equal(0);
  });

  it('says the same of a wrong configuration, and ends in the same way, from both', async () => {
    const file = join(program, 'wrong.toml');
    writeFileSync(file, '[server]\nname = "example.org"\ngateway = 3\n');
    const answers = await Promise.all(
      [{}, { TROUPE_FROM_SOURCE: '1' }].map(async (environment) => {
        const ended = run([join('src', 'start.mjs'), '--config', file], environment);
        return { code: await ended.stop(), output: ended.output(), log: ended.log() };
      }),
    );
    expect(answers[0]).to.deep.equal(answers[1]);
    expect(answers[0]?.code).to.equal(1);
    expect(answers[0]?.log).to.include(`${file}:3`);
  });

  it('runs the sources when it is told to, when Node is profiled, and when the bundle is damaged', async () => {
    const bundle = join(cache, 'program.bundle');
    const whole = readFileSync(bundle);
    truncateSync(bundle, 1_000_000);
    const profiled = run(['--cpu-prof', '--cpu-prof-dir=profiles', join('src', 'start.mjs')]);
    const [damaged, told] = await Promise.all([
      start({ TROUPE_DATA_PATH: join(program, 'data-1') }),
      start({ TROUPE_DATA_PATH: join(program, 'data-2'), TROUPE_FROM_SOURCE: '1' }),
    ]);
    expect(damaged.log()).to.match(/"why":"the bundle is damaged","message":"running the sources"/);
    expect(told.log()).to.match(/"why":"TROUPE_FROM_SOURCE","message":"running the sources"/);
    await profiled.logged(/"why":"Node was given flags .*","message":"running the sources"/);
    expect(await profiled.stop('SIGTERM')).to.equal(0);
    expect(readdirSync(join(program, 'profiles'))).not.to.have.length(0);
    expect(await damaged.stop('SIGTERM')).to.equal(0);
    expect(await told.stop('SIGTERM')).to.equal(0);
    writeFileSync(bundle, whole);
  });

  it('runs what was edited', async () => {
    const before = await start();
    expect(before.log()).to.match(/"running the bundle of the sources"/);
    rmSync(join(program, FAILING));
    appendFileSync(join(program, 'src', 'main.ts'), `process.stderr.write('edited\\n');\n`);
    rmSync(join(cache, 'program.bundle'));
    // The thread that hashes the password comes only now: it too is of the program that was started.
    const registered = await fetch(`${before.url}/_matrix/client/v3/register`, {
      method: 'POST',
      body: JSON.stringify({ username: 'ann', password: 'correct horse', auth: { type: 'm.login.dummy' } }),
    });
    expect(registered.status).to.equal(200);
    await failure(before);
    expect(await before.stop('SIGTERM')).to.equal(0);
    const after = await start();
    expect(after.log()).to.match(/edited\n/);
    expect((await fetch(`${after.url}/_matrix/client/v1/failing`)).status).to.equal(404);
    expect(await after.stop('SIGTERM')).to.equal(0);
  });
});
