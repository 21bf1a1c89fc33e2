import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import type { JsonObject } from '../../src/kit/json.ts';
import { type EndedCommand, runCommandProcess, runOnTerminal } from '../support/command-process.ts';
import { createHttpClient, type HttpAnswer, type HttpClient } from '../support/http-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const PATIENCE_MS = 60_000;
const REPOSITORY = new URL('../../', import.meta.url).pathname;
const STARTER = new URL('../../src/troupe.mjs', import.meta.url).pathname;

describe('an administrator gives commands', function () {
  this.timeout(PATIENCE_MS);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-commands-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const run = (args: string, input?: string): Promise<EndedCommand> =>
    runCommandProcess(folder, args.split(' '), input);

  describe('before the server has ever run', () => {
    it('makes the first administrator, and says that there was no database', async () => {
      expect(await run('user create Ann --admin', 'first secret\n')).to.deep.equal({
        code: 0,
        out: '@ann:localhost\n',
        said: `There was no database in ${folder}: making one.\n`,
      });
      expect(existsSync(join(folder, 'control.sock'))).to.equal(false);
      expect(await run('user create ann', 'x')).to.deep.equal({
        code: 1,
        out: '',
        said: 'troupe: This user name is taken.\n',
      });
    });
  });

  describe('while the server runs', () => {
    let server: TroupeProcess;
    let http: HttpClient;
    before(async () => {
      server = await startTroupe({ folder, environment: { TROUPE_REGISTRATION_OPEN: 'false' } });
      const { hostname, port } = new URL(server.url);
      http = createHttpClient({ host: hostname, port: Number(port) });
    });
    after(async () => {
      http?.close();
      await server?.kill();
    });
    const logIn = (user: string, password: string): Promise<HttpAnswer> =>
      http.post('/_matrix/client/v3/login', {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user },
        password,
      });

    it('nobody is offered to become the administrator any more, and Ann is one', async () => {
      expect(server.firstToken).to.equal(null);
      const ann = await logIn('ann', 'first secret');
      expect(ann.status).to.equal(200);
      const { access_token: token } = ann.body as { access_token: string };
      const asked = await http.withToken(token).get('/_synapse/admin/v1/users/@ann:localhost/admin');
      expect(asked.body).to.deep.equal({ admin: true });
    });

    it('makes an account with a password that is printed, and gives it another one on a terminal', async function () {
      const made = await run('user create bob --generate');
      expect([made.code, made.said]).to.deep.equal([0, '']);
      const [userId, password = ''] = made.out.split('\n');
      expect(userId).to.equal('@bob:localhost');
      const before = await logIn('bob', password);
      expect(before.status).to.equal(200);
      const terminal = await runOnTerminal(folder, 'user reset-password bob', [
        ['Password: ', 'typed by hand'],
        ['Again: ', 'typed by hand'],
      ]);
      if (terminal === null) {
        process.stdout.write('skipped: there is no program "script" that makes a terminal\n');
        this.skip();
      }
      expect([terminal.code, terminal.shown]).to.deep.equal([
        0,
        'Password: \r\nAgain: \r\n@bob:localhost\r\n',
      ]);
      const { access_token: token } = before.body as { access_token: string };
      expect((await http.withToken(token).get('/_matrix/client/v3/account/whoami')).status).to.equal(401);
      expect((await logIn('bob', 'typed by hand')).status).to.equal(200);
    });

    it('makes a token with which one person can register', async () => {
      const made = await run('token create --expires 7d');
      expect(made.code).to.equal(0);
      expect(made.said).to.match(/^Good for one account, until \d{4}-.*Z:\n$/);
      const token = made.out.trim();
      const register = async (username: string): Promise<number> => {
        const body = { username, password: 'open sesame' };
        const first = await http.post('/_matrix/client/v3/register', body);
        const { session } = first.body as JsonObject;
        const auth = { type: 'm.login.registration_token', token, session: session ?? null };
        return (await http.post('/_matrix/client/v3/register', { ...body, auth })).status;
      };
      expect(await register('carl')).to.equal(200);
      expect(await register('dora')).to.not.equal(200);
    });

    it('ends an account, asked on a terminal, or told to without one', async function () {
      const no = await runOnTerminal(folder, 'user deactivate carl', [[' [y/N] ', 'n']]);
      if (no !== null) {
        expect(no.code).to.equal(1);
        expect(no.shown).to.contain('End the account @carl:localhost for ever? [y/N] n');
        expect(no.shown).to.contain('troupe: nothing was changed');
        expect((await logIn('carl', 'open sesame')).status).to.equal(200);
      }
      expect(await run('user deactivate carl --erase --yes')).to.deep.equal({
        code: 0,
        out: '@carl:localhost\n',
        said: '',
      });
      expect((await logIn('carl', 'open sesame')).status).to.equal(403);
      expect((await run('user deactivate nobody --yes')).said).to.equal(
        'troupe: there is no user "nobody" on localhost\n',
      );
    });

    it('lists everybody, for people and for programs', async () => {
      const { out } = await run('user list');
      const lines = out.trimEnd().split('\n');
      expect(lines.map((line) => line.split(/ {2,}/).at(-1))).to.deep.equal(['NAME', 'ann', 'bob', 'carl']);
      expect(lines[1]).to.match(/^\d{4}-\d\d-\d\d \d\d:\d\d {2}.* admin +ann$/);
      expect(lines[3]).to.match(/ deactivated +carl$/);
      const listed = JSON.parse((await run('user list --json')).out) as JsonObject[];
      expect(listed.map(({ user_id: id, admin }) => [id, admin])).to.deep.equal([
        ['@ann:localhost', true],
        ['@bob:localhost', false],
        ['@carl:localhost', false],
      ]);
    });

    it('is answered after the server was killed, although its socket is still there', async () => {
      await server.kill();
      expect(existsSync(join(folder, 'control.sock'))).to.equal(true);
      const { code, out, said } = await run('user list --json');
      expect([code, said]).to.deep.equal([0, '']);
      expect(JSON.parse(out)).to.have.lengthOf(3);
      expect(existsSync(join(folder, 'control.sock'))).to.equal(false);
    });
  });
});

/** A Node that cannot run the program itself, as machines have one; undefined when there is none. */
function findOldNode(): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin'];
  return places
    .map((place) => join(place, 'node'))
    .find((node) => {
      if (!existsSync(node) || !existsSync(join(dirname(node), 'npx'))) return false;
      const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout;
      const major = Number(/^v(\d+)/.exec(version)?.[1]);
      return major >= 20 && major < 26;
    });
}

describe('whoever has an older Node', function () {
  this.timeout(PATIENCE_MS);
  let node: string;
  let folder: string;
  before(function () {
    const found = findOldNode();
    if (found === undefined || (process.env['TROUPE_BINARY'] ?? '') !== '') {
      process.stdout.write(
        'skipped: there is no Node from 20 to 25 here to start with, or a binary is under test\n',
      );
      this.skip();
    }
    node = found;
    folder = mkdtempSync(join(tmpdir(), 'troupe-starter-'));
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const environment = (): NodeJS.ProcessEnv => ({
    ...process.env,
    PATH: `${dirname(node)}${delimiter}/usr/bin${delimiter}/bin`,
    TROUPE_DATA_PATH: folder,
    TROUPE_SERVER_LISTEN: '127.0.0.1:0',
    TROUPE_INSPECTOR_LISTEN: '127.0.0.1:0',
    TROUPE_SERVER_GATEWAYS: '1',
    TROUPE_LOG_LEVEL: 'warn',
  });
  const npx = (...args: string[]) =>
    spawnSync(join(dirname(node), 'npx'), ['troupe', ...args], {
      cwd: REPOSITORY,
      env: environment(),
      encoding: 'utf8',
    });
  /** Starts the server by way of the starter, and waits until it runs. */
  async function start() {
    const starter = spawn(node, [STARTER], { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<readonly [number | null, string | null]>((resolve) =>
      starter.once('exit', (code, signal) => resolve([code, signal])),
    );
    for await (const chunk of starter.stdout) if (String(chunk).includes('Ready.')) break;
    return { starter, ended };
  }

  it('has the same commands with npx, and their exit codes', () => {
    const { status, stdout } = npx('version', '--json');
    expect(status).to.equal(0);
    expect(JSON.parse(stdout)).to.include({ node: process.versions.node });
    expect(spawnSync(node, [STARTER, 'usr'], { env: environment() }).status).to.equal(2);
  });

  it('ends the server by ending its starter, and the server does not outlive it', async () => {
    const first = await start();
    first.starter.kill('SIGTERM');
    expect(await first.ended).to.deep.equal([0, null]);
    const second = await start();
    const socket = join(folder, 'control.sock');
    expect(existsSync(socket)).to.equal(true);
    second.starter.kill('SIGKILL');
    await second.ended;
    // It goes when the server has ended in order.
    while (existsSync(socket)) await wait(20);
  });
});
