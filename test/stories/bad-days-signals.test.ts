import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../src/kit/random.ts';
import { clientOfUrl, type Person, personOf, register } from '../support/person.ts';
import { startTroupe, type TroupeOptions, type TroupeProcess } from '../support/troupe-process.ts';
import { createWriter, expectNothingLostOrDoubled, isRetryable, type Writer } from '../support/writers.ts';

const STORY_TIMEOUT_MS = 900_000;
/** Requests under way are answered, nothing is waited for: far below the deadlines of a stop. */
const QUICK_STOP_MS = 4_000;
/** The binary is the same code, and is told of the same stories a second time. */
const KILLS = (process.env['TROUPE_BINARY'] ?? '') === '' ? 50 : 10;

function addressOf(server: TroupeProcess): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(server.url);
  return { host: hostname, port: Number(port) };
}

/** A server with people in one room who write into it, over several lives of the server. */
interface Stage {
  readonly writers: readonly Writer[];
  readonly roomId: string;
  server: TroupeProcess;
  /** Starts the next life. */
  restart(): Promise<void>;
  /** Does something as the owner of the room over a connection of its own. */
  asOwner<T>(act: (owner: Person) => Promise<T>): Promise<T>;
  dispose(): Promise<void>;
}

async function setStage(count: number, options: TroupeOptions): Promise<Stage> {
  // Its compiled code is kept between the lives, as npm start may do too: the start is what these tests wait for.
  const compiled = mkdtempSync(join(tmpdir(), 'troupe-compiled-'));
  const start = (folder?: string): Promise<TroupeProcess> =>
    startTroupe({
      ...options,
      environment: { NODE_COMPILE_CACHE: compiled, ...options.environment },
      ...(folder === undefined ? {} : { folder }),
    });
  // Written when a life ends well.
  const first = await start();
  await first.stop();
  const server = await start(first.folder);
  const http = clientOfUrl(server.url);
  const people: Person[] = [];
  for (let number = 0; number < count; number += 1) people.push(await register(http, `writer${number}`));
  const [owner] = people;
  if (owner === undefined) throw new Error('a stage needs a writer');
  const roomId = await owner.createRoom({ preset: 'public_chat' });
  for (const person of people.slice(1)) await person.join(roomId);
  http.close();
  const stage: Stage = {
    server,
    roomId,
    writers: people.map((person, number) => createWriter(`w${number}`, person, roomId)),
    async restart() {
      stage.server = await start(server.folder);
    },
    async asOwner(act) {
      const client = clientOfUrl(stage.server.url);
      try {
        return await act(personOf(client, owner.userId, owner.token));
      } finally {
        client.close();
      }
    },
    async dispose() {
      await stage.server.dispose();
      rmSync(compiled, { recursive: true, force: true });
    },
  };
  return stage;
}

/** Lets all write until `total` more sends are acknowledged and `end` was called, and the server's end has reached them all. */
async function writeUntil(stage: Stage, total: number, end: () => Promise<unknown>): Promise<void> {
  let acknowledged = 0;
  const ended: Promise<unknown>[] = [];
  const write = (writer: Writer): Promise<void> =>
    writer.write(addressOf(stage.server), {
      isOver: () => false,
      acknowledged() {
        acknowledged += 1;
        if (acknowledged === total) ended.push(end());
      },
    });
  await Promise.all(stage.writers.map(write));
  await Promise.all(ended);
}

/** Sends again, once, what was acknowledged last and what was not. */
async function sendAgain(stage: Stage): Promise<void> {
  await Promise.all(stage.writers.map((writer) => writer.repeatLast(addressOf(stage.server))));
  const again = (writer: Writer): Promise<void> =>
    writer.write(addressOf(stage.server), { isOver: () => true });
  await Promise.all(stage.writers.map(again));
  expect(stage.writers.map(({ open }) => open)).to.deep.equal(stage.writers.map(() => null));
}

describe('bad days: signals', function () {
  this.timeout(STORY_TIMEOUT_MS);

  for (const gateways of [1, 2]) {
    it(`SIGTERM under load, ${gateways} gateway${gateways === 1 ? '' : 's'}: what was acknowledged is there once, exit code 0`, async () => {
      const stage = await setStage(8, { gateways });
      try {
        let stopMs = 0;
        await writeUntil(stage, 300, async () => {
          const startedMs = performance.now();
          const code = await stage.server.stop();
          stopMs = performance.now() - startedMs;
          expect(code, stage.server.output()).to.equal(0);
        });
        expect(stopMs).to.be.lessThan(QUICK_STOP_MS);
        const failures = stage.writers.flatMap((writer) => writer.failures);
        expect(failures.filter((failure) => !isRetryable(failure))).to.deep.equal([]);
        await stage.restart();
        expectNothingLostOrDoubled(
          stage.writers,
          await stage.asOwner((owner) => owner.readAll(stage.roomId)),
        );
        await sendAgain(stage);
        const texts = await stage.asOwner((owner) => owner.readAll(stage.roomId));
        expectNothingLostOrDoubled(stage.writers, texts);
        expect(texts.length).to.equal(
          stage.writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
        );
      } finally {
        await stage.dispose();
      }
    });
  }

  it('SIGTERM with parked long polls: they are answered, and the stop does not wait for their end', async () => {
    const stage = await setStage(1, {});
    try {
      const client = clientOfUrl(stage.server.url);
      const answers = await stage.asOwner(async (owner) => {
        const { next_batch: since } = await owner.sync();
        const own = owner.over(client);
        const polls = Array.from({ length: 20 }, () => own.sync(since, 60_000));
        // Answered after the polls have arrived: connections are served as they come.
        await own.send(stage.roomId, 'noise', 'noise');
        await Promise.all(polls);
        const { next_batch: quiet } = await owner.sync();
        const parked = Array.from({ length: 20 }, () => own.sync(quiet, 60_000));
        await own.type(stage.roomId, false);
        const startedMs = performance.now();
        expect(await stage.server.stop()).to.equal(0);
        expect(performance.now() - startedMs).to.be.lessThan(QUICK_STOP_MS);
        return Promise.allSettled(parked);
      });
      client.close();
      for (const answer of answers)
        if (answer.status === 'rejected') expect(String(answer.reason)).to.match(/ECONNRE|hang up/);
      expect(answers.some(({ status }) => status === 'fulfilled')).to.equal(true);
    } finally {
      await stage.dispose();
    }
  });

  it(`SIGKILL, ${KILLS} times with 4 writers: every acknowledged send is there once`, async () => {
    const seed = 20_261_123;
    const random = seededRandom(seed);
    const stage = await setStage(4, {});
    try {
      for (let round = 1; round <= KILLS; round += 1) {
        const before = stage.writers.map(({ acknowledged }) => acknowledged.length);
        await writeUntil(stage, 1 + random.integer(60), () => stage.server.kill());
        await stage.restart();
        // The last of each writer, and what is open: sent again, they are what they were.
        await stage.asOwner(async (owner) => {
          for (const { acknowledged } of stage.writers) {
            const last = acknowledged.at(-1);
            if (last === undefined) continue;
            const path = `/_matrix/client/v3/rooms/${encodeURIComponent(stage.roomId)}/event/`;
            const { status } = await owner.http.get(path + encodeURIComponent(last.eventId ?? ''));
            expect(status, `seed ${seed}, round ${round}: ${last.txnId}`).to.equal(200);
          }
        });
        await sendAgain(stage);
        const grown = stage.writers.some(
          ({ acknowledged }, index) => acknowledged.length > (before[index] ?? 0),
        );
        expect(grown, `seed ${seed}, round ${round} wrote nothing`).to.equal(true);
      }
      const texts = await stage.asOwner((owner) => owner.readAll(stage.roomId));
      expectNothingLostOrDoubled(stage.writers, texts);
      const acknowledged = stage.writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0);
      expect(texts.length, `seed ${seed}`).to.equal(acknowledged);
      expect(acknowledged).to.be.greaterThan(10 * KILLS);
    } finally {
      await stage.dispose();
    }
  });
});
