import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HttpAnswer, HttpClient } from '../support/http-client.ts';
import { clientOfUrl, type Person, personOf, register } from '../support/person.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 120_000;
const DISK_SIZE = '24m';
const BALLAST_CHUNK = Buffer.alloc(65_536);
/** Far more than the free pages of an unfull log can take. */
const SENDS_MAX = 5_000;
/** A refusal moves the log into the database as far as that has room, and so may make room in the log: these in a row say that all is full. */
const REFUSALS_IN_A_ROW = 5;
const PARAGRAPH = 'word '.repeat(1_000);
const LONG_TEXT = 'word '.repeat(5_000);

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A small disk of its own; null, with the reason on standard error, where none can be mounted. */
function mountDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-disk-'));
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${DISK_SIZE},mode=700`, 'tmpfs', folder);
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true });
    process.stderr.write(`note: no small disk for the tests of a full one: ${(error as Error).message}\n`);
    return null;
  }
}

function unmountDisk(folder: string): void {
  run('umount', '-l', folder);
  rmSync(folder, { recursive: true });
}

/** Fills the disk to its last byte. */
function fill(folder: string): string {
  const ballast = join(folder, 'ballast');
  for (const chunk of [BALLAST_CHUNK, BALLAST_CHUNK.subarray(0, 4_096), BALLAST_CHUNK.subarray(0, 1)]) {
    try {
      for (;;) appendFileSync(ballast, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  return ballast;
}

/** No file may grow beyond `sizeBytes` from now on; null for no bound. What stands on a full disk quota, or beyond one. */
function limitFiles(pid: number, sizeBytes: number | null): void {
  run('prlimit', '--pid', String(pid), `--fsize=${sizeBytes ?? 'unlimited'}:`);
}

function inWords({ status, body }: HttpAnswer): string {
  const { errcode = '' } = (body ?? {}) as { errcode?: string };
  return `${status} ${errcode}`.trim();
}

const REFUSED = '503 M_RESOURCE_LIMIT_EXCEEDED';

/** Somebody in a room of a server, and what of their sends was acknowledged. */
interface Scene {
  readonly ann: Person;
  readonly roomId: string;
  readonly acknowledged: string[];
  /** Sends until storage refuses; gives the transaction that was refused. */
  sendUntilRefused(): Promise<string>;
}

async function setScene(http: HttpClient): Promise<Scene> {
  const ann = await register(http, 'ann');
  const roomId = await ann.createRoom({ name: 'Stage' });
  const acknowledged: string[] = [];
  return {
    ann,
    roomId,
    acknowledged,
    async sendUntilRefused() {
      let refusals = 0;
      for (let number = 0; number < SENDS_MAX; number += 1) {
        const text = `${acknowledged.length} ${PARAGRAPH}`;
        const answer = await ann.trySend(roomId, `txn-${acknowledged.length}`, text);
        const words = inWords(answer);
        if (words === '200') {
          acknowledged.push(text);
          refusals = 0;
          continue;
        }
        expect(words, answer.text).to.equal(REFUSED);
        expect((answer.body as { error: string }).error).to.match(/storage|disk/);
        expect(answer.body).to.have.property('admin_contact');
        refusals += 1;
        if (refusals === REFUSALS_IN_A_ROW) return `txn-${acknowledged.length}`;
      }
      throw new Error('storage never refused');
    },
  };
}

/** While nothing can be written: what changes durable things is refused, the rest goes on. */
async function expectReadsGoOn(scene: Scene): Promise<void> {
  const { ann, roomId, acknowledged } = scene;
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;
  const writes: [string, string, object][] = [
    ['POST', '/_matrix/client/v3/createRoom', { topic: LONG_TEXT }],
    ['PUT', `${room}/state/m.room.topic/`, { topic: LONG_TEXT }],
    ['PUT', `/_matrix/client/v3/user/${ann.userId}/account_data/org.example`, { text: LONG_TEXT }],
  ];
  for (const [method, path, body] of writes) {
    const answer = await ann.http.request(method, path, { body });
    expect(inWords(answer), `${method} ${path} ${answer.text}`).to.equal(REFUSED);
  }
  expect(await ann.readAll(roomId)).to.deep.equal(acknowledged);
  expect(inWords(await ann.http.get(`${room}/state`))).to.equal('200');
  expect(inWords(await ann.http.get('/_matrix/client/v3/account/whoami'))).to.equal('200');
  const first = await ann.sync();
  expect(first.rooms?.join).to.have.property(roomId);
  const next = ann.sync(first.next_batch, 20_000);
  // Typing lives in memory: it wakes a long poll also now.
  await ann.type(roomId, true);
  const { rooms } = await next;
  expect(rooms?.join?.[roomId]?.ephemeral?.events[0]?.content).to.deep.equal({ user_ids: [ann.userId] });
  await ann.type(roomId, false);
}

/** Written again, with the same transaction, and everything else too. */
async function expectWritesAgain(scene: Scene, refused: string): Promise<void> {
  const { ann, roomId, acknowledged } = scene;
  const text = `${acknowledged.length} ${PARAGRAPH}`;
  await ann.send(roomId, refused, text);
  acknowledged.push(text);
  expect(await ann.readAll(roomId)).to.deep.equal(acknowledged);
  await ann.createRoom({ name: 'Another' });
}

/** No actor had to be restarted for it: storage that refuses is no defect. */
async function expectNoCrash(server: TroupeProcess): Promise<void> {
  const inspector = clientOfUrl(server.inspectorUrl);
  const { body } = await inspector.get('/_troupe/inspector/v1/actors');
  inspector.close();
  const actors = (body as unknown as { actors: { name: string; failed: number; lastError: string }[] })
    .actors;
  expect(actors.filter(({ failed }) => failed > 0)).to.deep.equal([]);
}

describe('bad days: storage', function () {
  this.timeout(STORY_TIMEOUT_MS);

  it('a full disk: writes are refused, reads and sync go on; with space again it writes again', async function () {
    const folder = mountDisk();
    if (folder === null) this.skip();
    const server = await startTroupe({ folder, environment: { TROUPE_LOG_LEVEL: 'silent' } });
    const http = clientOfUrl(server.url);
    try {
      const scene = await setScene(http);
      const ballast = fill(folder);
      const refused = await scene.sendUntilRefused();
      await expectReadsGoOn(scene);
      rmSync(ballast);
      await expectWritesAgain(scene, refused);
      await expectNoCrash(server);
      expect(await server.stop()).to.equal(0);
      const again = await startTroupe({ folder, environment: { TROUPE_LOG_LEVEL: 'silent' } });
      const client = clientOfUrl(again.url);
      const { userId, token } = scene.ann;
      expect(await personOf(client, userId, token).readAll(scene.roomId)).to.deep.equal(scene.acknowledged);
      client.close();
      await again.kill();
    } finally {
      http.close();
      await server.kill();
      unmountDisk(folder);
    }
  });

  it('files that cannot grow: writes are refused, reads and sync go on; afterwards it writes again', async function () {
    const server = await startTroupe({ environment: { TROUPE_LOG_LEVEL: 'silent' } });
    const http = clientOfUrl(server.url);
    try {
      const scene = await setScene(http);
      const sizes = readdirSync(server.folder).map((name) => statSync(join(server.folder, name)).size);
      try {
        limitFiles(server.pid, Math.max(...sizes));
      } catch (error) {
        process.stderr.write(`note: no bound for the sizes of files: ${(error as Error).message}\n`);
        this.skip();
      }
      const refused = await scene.sendUntilRefused();
      await expectReadsGoOn(scene);
      limitFiles(server.pid, null);
      await expectWritesAgain(scene, refused);
      await expectNoCrash(server);
    } finally {
      http.close();
      await server.dispose();
    }
  });

  it('a read-only disk: it starts, refuses writes and serves reads; writable again, it writes after a restart', async function () {
    const folder = mountDisk();
    if (folder === null) this.skip();
    const environment = { TROUPE_LOG_LEVEL: 'silent' };
    let server = await startTroupe({ folder, environment });
    let http = clientOfUrl(server.url);
    try {
      const before = await setScene(http);
      await before.ann.send(before.roomId, 'txn-0', 'the only line');
      http.close();
      expect(await server.stop()).to.equal(0);
      run('mount', '-o', 'remount,ro', folder);

      server = await startTroupe({ folder, environment });
      http = clientOfUrl(server.url);
      const ann = personOf(http, before.ann.userId, before.ann.token);
      const scene: Scene = { ...before, ann, acknowledged: ['the only line'] };
      const answer = await ann.trySend(scene.roomId, 'txn-1', 'another');
      expect(`${inWords(answer)} ${answer.text}`).to.match(/^503 M_RESOURCE_LIMIT_EXCEEDED .*read-only/);
      await expectReadsGoOn(scene);
      await expectNoCrash(server);

      // SQLite shares what it opened for reading only among the connections of a process, and keeps to that.
      http.close();
      expect(await server.stop()).to.equal(0);
      run('mount', '-o', 'remount,rw', folder);
      server = await startTroupe({ folder, environment });
      http = clientOfUrl(server.url);
      await expectWritesAgain({ ...scene, ann: personOf(http, ann.userId, ann.token) }, 'txn-1');
    } finally {
      http.close();
      await server.kill();
      unmountDisk(folder);
    }
  });
});
