import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import sharp from 'sharp';
import { loadEndpoints } from '../../src/http/kit/load-endpoints.ts';
import { PROGRAM_FOLDER } from '../../src/kit/program-files.ts';

// Of the one-file program that `npm run build:binary` makes: what is different about it. The stories show that the rest is as ever.

const BINARY = resolve(process.env['TROUPE_BINARY'] ?? join(PROGRAM_FOLDER, 'dist', 'troupe'));
const SOURCES = [
  '--import',
  join(PROGRAM_FOLDER, 'src', 'check-node.mjs'),
  join(PROGRAM_FOLDER, 'src', 'main.ts'),
];
/** A machine that is busy with other tests is slower than bench/start. */
const FIRST_ANSWER_MS_MAX = 5_000;
/** Six processes, two of which start half a server. */
const COMMANDS_MS_MAX = 60_000;
const NOBODY = 65_534;
const ON_FREE_PORTS = { TROUPE_SERVER_LISTEN: '127.0.0.1:0', TROUPE_INSPECTOR_LISTEN: '127.0.0.1:0' };

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly talk: string;
}

function run(args: readonly string[], environment: Readonly<Record<string, string>>, uid?: number): Ended {
  const { status, stdout, stderr, error } = spawnSync(BINARY, args, {
    env: { PATH: '/nonexistent', ...environment },
    cwd: tmpdir(),
    encoding: 'utf8',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  if (error !== undefined) throw error;
  return { code: status, output: stdout, talk: stderr };
}

function runSources(args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...SOURCES, ...args], { encoding: 'utf8' });
  return { code: status, output: stdout, talk: stderr };
}

function untilReady(child: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    let printed = '';
    child.stderr?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes('Ready.')) done(printed);
    });
    child.once('exit', (code) => fail(new Error(`it ended with ${code}: ${printed}`)));
  });
}

/** The folders of versions in a cache folder. */
const versions = (cache: string): readonly string[] => readdirSync(join(cache, 'troupe'));

function filesOf(cache: string): readonly string[] {
  const entries = readdirSync(cache, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('the binary', () => {
  let root: string;
  let cache: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'troupe-binary-'));
    cache = join(root, 'cache');
    chmodSync(root, 0o755);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  describe('alone in an empty folder, without Node, home or configuration', () => {
    let folder: string;
    let server: ChildProcess;
    let url: string;
    let inspectorUrl: string;
    let startedInMs: number;
    before(async () => {
      folder = join(root, 'alone');
      mkdirSync(folder);
      copyFileSync(BINARY, join(folder, 'troupe'));
      const startedAt = performance.now();
      server = spawn(join(folder, 'troupe'), [], {
        cwd: folder,
        env: {
          PATH: '/nonexistent',
          XDG_CACHE_HOME: cache,
          ...ON_FREE_PORTS,
          TROUPE_REGISTRATION_OPEN: 'true',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const printed = await untilReady(server);
      url = /listening on\s+(\S+)/.exec(printed)?.[1] ?? '';
      inspectorUrl = /inspector\s+(\S+)/.exec(printed)?.[1] ?? '';
      const answer = await fetch(`${url}/_matrix/client/versions`);
      expect(answer.status).to.equal(200);
      startedInMs = performance.now() - startedAt;
      expect(printed)
        .to.match(/server name\s+localhost\n/)
        .and.match(/registration token\s+\w+/);
    });
    after(() => server.kill('SIGKILL'));

    it('starts, answers soon, and keeps its data beside it', () => {
      expect(startedInMs).to.be.lessThan(FIRST_ANSWER_MS_MAX);
      expect(readdirSync(folder).toSorted()).to.deep.equal(['data', 'troupe']);
    });

    it('has every endpoint of the sources, and describes them alike', async () => {
      const endpoints = (await loadEndpoints()).map(({ endpoint }) => endpoint);
      const isInspector = (path: string): boolean => path.startsWith('/_troupe/inspector');
      const unknown: string[] = [];
      for (const { method, path } of endpoints) {
        if (isInspector(path)) continue;
        const response = await fetch(url + path.replaceAll(/\{\w+\}/g, 'x'), {
          method,
          signal: AbortSignal.timeout(5_000),
        });
        const { errcode } = (await response.json().catch(() => ({}))) as { errcode?: string };
        if (errcode === 'M_UNRECOGNIZED') unknown.push(`${method} ${path}`);
      }
      const document = (await (await fetch(`${inspectorUrl}/openapi.json`)).json()) as {
        readonly paths: Readonly<Record<string, object>>;
      };
      for (const { method, path } of endpoints) {
        if (!isInspector(path) || path.endsWith('openapi.json')) continue;
        const described = document.paths[path] as Readonly<Record<string, unknown>> | undefined;
        if (described?.[method.toLowerCase()] === undefined) unknown.push(`${method} ${path}`);
      }
      expect(unknown).to.deep.equal([]);
    });

    it('unpacks its native parts again when somebody cleans the cache while it runs', async () => {
      rmSync(cache, { recursive: true });
      const registered = await fetch(`${url}/_matrix/client/v3/register`, {
        method: 'POST',
        body: JSON.stringify({ username: 'ann', password: 'correct horse', auth: { type: 'm.login.dummy' } }),
      });
      const { access_token: token } = (await registered.json()) as { access_token: string };
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'image/png' };
      const image = await sharp({ create: { width: 400, height: 300, channels: 3, background: 'red' } })
        .png()
        .toBuffer();
      const uploaded = await fetch(`${url}/_matrix/media/v3/upload`, {
        method: 'POST',
        headers,
        body: new Uint8Array(image),
      });
      const { content_uri: uri } = (await uploaded.json()) as { content_uri: string };
      const path = `${uri.replace('mxc://', '')}?width=100&height=75`;
      const thumbnail = await fetch(`${url}/_matrix/client/v1/media/thumbnail/${path}`, { headers });
      expect(thumbnail.status).to.equal(200);
      const { width } = await sharp(Buffer.from(await thumbnail.arrayBuffer())).metadata();
      expect(width).to.equal(320);
      expect(filesOf(cache).some((file) => file.includes('libvips'))).to.equal(true);
    });

    it('ends with 0 when it is told to', async () => {
      const ended = new Promise((done) => server.once('exit', done));
      server.kill('SIGTERM');
      expect(await ended).to.equal(0);
    });
  });

  it('says the same as the sources', () => {
    for (const args of [['--help'], ['versoin'], ['start', '--help'], ['--config', '/nonexistent.toml']])
      expect(run(args, { XDG_CACHE_HOME: cache }), args.join(' ')).to.deep.equal(runSources(args));
    const here = JSON.parse(run(['version', '--json'], { XDG_CACHE_HOME: cache }).output) as object;
    expect(here).to.deep.equal(JSON.parse(runSources(['version', '--json']).output));
  });

  it('makes accounts, backs up, looks its data over and restores, without a server', () => {
    const data = join(root, 'commands');
    const environment = { XDG_CACHE_HOME: cache, TROUPE_DATA_PATH: data };
    const [file, restored] = [join(root, 'backup.tar.gz'), join(root, 'restored')];
    const commands = [
      ['user', 'create', 'ann', '--generate'],
      ['backup', file],
      ['verify'],
      ['verify', '--backup', file],
      ['restore', file, '--data', restored],
      ['verify', '--data', restored],
    ];
    for (const args of commands) {
      const { code, talk } = run(args, environment);
      expect(code, `${args.join(' ')}: ${talk}`).to.equal(0);
    }
  }).timeout(COMMANDS_MS_MAX);

  it('prints the licenses of everything that is in it', () => {
    const { code, output } = run(['version', '--licenses'], { XDG_CACHE_HOME: cache });
    expect(code).to.equal(0);
    for (const part of ['koa', 'better-sqlite3', 'undici', 'sharp', 'libvips', 'sodium-native', 'Node.js'])
      expect(output).to.match(new RegExp(`^={80}\\n(@\\S+/)?${part}`, 'm'));
    expect(output).to.equal(readFileSync(join(PROGRAM_FOLDER, 'dist', 'THIRD-PARTY-LICENSES.txt'), 'utf8'));
  });

  it('repairs a damaged cache folder', () => {
    const place = { XDG_CACHE_HOME: join(root, 'damaged') };
    expect(run(['version'], place).code).to.equal(0);
    const whole = new Map(filesOf(place.XDG_CACHE_HOME).map((file) => [file, readFileSync(file)]));
    expect(whole.size).to.be.greaterThan(4);
    for (const file of whole.keys()) if (file.includes('libvips')) rmSync(file);
    for (const [file, content] of whole)
      if (file.includes('sqlite')) writeFileSync(file, Buffer.alloc(content.length, 7));
    const { code, talk } = run(['version'], place);
    expect(code, talk).to.equal(0);
    expect(filesOf(place.XDG_CACHE_HOME).toSorted()).to.deep.equal([...whole.keys()].toSorted());
    for (const [file, content] of whole) expect(readFileSync(file).equals(content), file).to.equal(true);
  });

  it('may be started several times at once, with nothing unpacked yet', async () => {
    const place = { XDG_CACHE_HOME: join(root, 'many') };
    const several = Array.from({ length: 4 }, () => promisify(execFile)(BINARY, ['version'], { env: place }));
    for (const { stdout } of await Promise.all(several)) expect(stdout).to.match(/^sqlite\s+3\./m);
    expect(versions(place.XDG_CACHE_HOME)).to.have.length(1);
    expect(filesOf(place.XDG_CACHE_HOME).filter((file) => /partial|used-by/.test(file))).to.deep.equal([]);
  });

  it('says why it cannot unpack, and what to set, and needs nothing unpacked to give help', function () {
    if (process.geteuid?.() !== 0) this.skip();
    const place = { XDG_CACHE_HOME: join(root, 'of-root') };
    mkdirSync(place.XDG_CACHE_HOME, { mode: 0o755 });
    const { code, talk } = run([], { ...place, ...ON_FREE_PORTS }, NOBODY);
    expect(code).to.equal(1);
    expect(talk).to.match(
      /^Troupe cannot run: its native parts cannot be unpacked to \S+of-root\/troupe: this user may not write there\. Set TROUPE_CACHE_DIR [^\n]+\n$/,
    );
    expect(run(['--help'], place, NOBODY).code).to.equal(0);
    const { code: elsewhere } = run(['version'], { ...place, TROUPE_CACHE_DIR: join(root, 'of-root-2') });
    expect(elsewhere).to.equal(0);
  });

  it('runs nothing out of a folder that others can write to', () => {
    const open = join(root, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const { code, talk } = run(['version'], { TROUPE_CACHE_DIR: join(open, 'troupe') });
    expect(code).to.equal(1);
    expect(talk).to.match(/other users can write to .*open, and what lies in it is run/);
    expect(talk.trim().split('\n')).to.have.length(1);
  });

  it('starts from a read-only cache folder in which everything is', function () {
    if (process.geteuid?.() !== 0) this.skip();
    const place = join(root, 'prepared');
    expect(run(['version'], { TROUPE_CACHE_DIR: place }).code).to.equal(0);
    for (const file of filesOf(place)) chmodSync(file, 0o644);
    for (const entry of readdirSync(place, { recursive: true, withFileTypes: true }))
      if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755);
    chmodSync(place, 0o755);
    const { code, talk } = run(['version'], { TROUPE_CACHE_DIR: place }, NOBODY);
    expect(code, talk).to.equal(0);
  });
});
