import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { lockFolder } from '../../../db/kit/folder-lock.ts';
import { type Clock, systemClock } from '../../../src/kit/clock.ts';
import { runCommandHere } from '../../support/command-run.ts';

/** Longer than a socket's address may be. */
const LONG_NAME = 'x'.repeat(120);

/** A clock on which time flies: a timer is due at once, and moves the time. */
function createFlyingClock(): Clock {
  let passedMs = 0;
  return {
    ...systemClock,
    monotonic: () => passedMs,
    after(delayMs, action) {
      passedMs += delayMs;
      setImmediate(action);
      return { dueAt: passedMs };
    },
  };
}

describe('commands that need a server', () => {
  let folder: string;
  let environment: Record<string, string>;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-with-'));
    environment = { TROUPE_DATA_PATH: folder };
    writeFileSync(join(folder, 'troupe.db'), '');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('say so when somebody holds the data folder and takes no commands', async () => {
    const lock = lockFolder(folder);
    const run = await runCommandHere(['user', 'list'], { environment, clock: createFlyingClock() });
    lock.release();
    expect(run).to.deep.equal({
      code: 1,
      out: '',
      said: `troupe: a server, or another command, uses the data folder ${folder} and takes no commands: see its log, or stop it and try again\n`,
    });
  });

  it('refuse to act for another user, whose server could not read what they make', async function () {
    if (process.geteuid?.() !== 0) {
      process.stdout.write('skipped: only root can give a folder away\n');
      this.skip();
    }
    chownSync(folder, 4_711, 4_711);
    const { code, said } = await runCommandHere(['user', 'list'], { environment });
    expect(code).to.equal(1);
    expect(said).to.contain(`belongs to the user with the id 4711, not to you (0): run this as that user`);
  });

  describe('of a server that runs', () => {
    let server: Server;
    const serve = async (where: string, status: number, body: string): Promise<void> => {
      server = createServer((_request, response) => {
        response.writeHead(status).end(body);
      });
      const cwd = process.cwd();
      process.chdir(where);
      await new Promise<void>((resolve) => void server.listen({ path: 'control.sock' }, resolve));
      process.chdir(cwd);
    };
    afterEach(() => void server.close());

    it('pass on what it refuses, and say when it answers with something else', async () => {
      await serve(folder, 403, '{"errcode":"M_FORBIDDEN","error":"not today"}');
      expect(await runCommandHere(['user', 'list'], { environment })).to.deep.include({
        code: 1,
        said: 'troupe: not today\n',
      });
      server.close();
      rmSync(join(folder, 'control.sock'), { force: true });
      await serve(folder, 502, '<html>');
      expect(await runCommandHere(['user', 'list'], { environment })).to.deep.include({
        code: 1,
        said: 'troupe: the server answers with 502 and no JSON: see its log\n',
      });
      server.close();
      rmSync(join(folder, 'control.sock'), { force: true });
      await serve(folder, 200, '{}');
      const made = await runCommandHere(['token', 'create'], { environment });
      expect(made.code).to.equal(1);
      expect(made.said).to.contain(`troupe: the server's answer has no token: is it of another version`);
    });

    it('find it in a folder whose path is longer than a socket may be', async function () {
      if (process.platform !== 'linux') this.skip();
      const long = join(folder, LONG_NAME);
      mkdirSync(long);
      await serve(long, 200, '{"users":[],"next":null}');
      const run = await runCommandHere(['user', 'list', '--json'], {
        environment: { TROUPE_DATA_PATH: long },
      });
      expect(run).to.deep.equal({ code: 0, out: '[]\n', said: '' });
    });
  });
});
