import { expect } from 'chai';
import type { ThreadStatus } from '../../actors/kit/status.ts';
import { createHttpClient } from '../support/http-client.ts';
import { type InProcessProgram, startInProcess } from '../support/in-process-program.ts';
import {
  clientOfUrl,
  eventually,
  pause,
  type Person,
  personOf,
  register,
  textOf,
} from '../support/person.ts';
import { startTroupe } from '../support/troupe-process.ts';
import { createWriter, expectNothingLostOrDoubled, isRetryable, type Writer } from '../support/writers.ts';

const STORY_TIMEOUT_MS = 120_000;
/** The goal is a second on a machine that is free; this one may be busy. */
const BACK_WITHIN_MS = 10_000;
const RETRY_AFTER_MS = 25;
const WRITERS = 6;

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Company {
  readonly owner: Person;
  readonly roomId: string;
  readonly writers: readonly Writer[];
}

async function gather(address: Address): Promise<Company> {
  const http = createHttpClient(address);
  const people: Person[] = [];
  for (let number = 0; number < WRITERS; number += 1) people.push(await register(http, `writer${number}`));
  const [owner] = people;
  if (owner === undefined) throw new Error('nobody there');
  const roomId = await owner.createRoom({ preset: 'public_chat' });
  for (const person of people.slice(1)) await person.join(roomId);
  return {
    owner,
    roomId,
    writers: people.map((person, number) => createWriter(`w${number}`, person, roomId)),
  };
}

interface Load {
  acknowledged(): number;
  /** Lets what is under way end; nothing stays open. */
  end(): Promise<void>;
}

/** All write, and try again what was not acknowledged, until they are told to end. */
function load({ writers }: Company, address: Address): Load {
  let isOver = false;
  const work = writers.map((writer) =>
    writer.write(address, { isOver: () => isOver, beforeRetry: () => pause(RETRY_AFTER_MS) }),
  );
  return {
    acknowledged: () => writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
    async end() {
      isOver = true;
      await Promise.all(work);
    },
  };
}

/** Syncs all the time and notes what went wrong and which messages came. */
function follow(person: Person, roomId: string, address: Address) {
  const http = createHttpClient(address);
  const self = person.over(http);
  const texts: string[] = [];
  const problems: string[] = [];
  const over = new AbortController();
  const run = async (): Promise<void> => {
    let since: string | undefined;
    while (!over.signal.aborted) {
      try {
        const answer = await self.sync(since, 1_000);
        since = answer.next_batch;
        const events = answer.rooms?.join?.[roomId]?.timeline?.events ?? [];
        for (const { type, content } of events)
          if (type === 'm.room.message') texts.push(textOf(content, 'body'));
      } catch (error) {
        problems.push(String(error));
        await pause(RETRY_AFTER_MS);
      }
    }
  };
  const running = run();
  return {
    texts,
    problems,
    async end() {
      over.abort();
      await running;
      http.close();
    },
  };
}

const LOST = /ECONNRE|EPIPE|hang up|aborted|sync gave 503 .*retry_after_ms/;

/** Nothing lost, nothing doubled, and clients saw nothing that they need not understand. */
async function expectGoodEnd(company: Company, address: Address): Promise<void> {
  const failures = company.writers.flatMap((writer) => writer.failures);
  expect(failures.filter((failure) => !isRetryable(failure))).to.deep.equal([]);
  const http = createHttpClient(address);
  const { userId, token } = company.owner;
  const texts = await personOf(http, userId, token).readAll(company.roomId);
  http.close();
  expectNothingLostOrDoubled(company.writers, texts);
  expect(texts.length).to.equal(
    company.writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
  );
}

describe('bad days: threads', function () {
  this.timeout(STORY_TIMEOUT_MS);

  for (const [thread, gateways] of [
    ['store', 1],
    ['gateway-1', 1],
    ['gateway-2', 2],
  ] as const) {
    it(`${thread} is killed under load three times, ${gateways} gateway${gateways === 1 ? '' : 's'}: its actors are back, nothing is lost`, async () => {
      const server: InProcessProgram = await startInProcess({ gateways });
      try {
        const { supervisor } = server.program;
        const company = await gather(server.address);
        const follower = follow(company.owner, company.roomId, server.address);
        const writing = load(company, server.address);
        const threadOf = (): ThreadStatus | undefined =>
          supervisor.status().threads.find(({ name }) => name === thread);
        for (let round = 1; round <= 3; round += 1) {
          const before = writing.acknowledged();
          await eventually('some sends', () => writing.acknowledged() >= before + 50);
          const incarnations = new Map(
            supervisor.status().actors.map(({ name, incarnation }) => [name, incarnation]),
          );
          const killedMs = performance.now();
          supervisor.restartThread(thread, 'killed by the test');
          await eventually(`${thread} and its actors`, () => {
            const { actors } = supervisor.status();
            const own = actors.filter((actor) => actor.thread === thread);
            return (
              threadOf()?.restarts === round &&
              own.every(
                ({ name, state, incarnation }) =>
                  state === 'running' && incarnation > (incarnations.get(name) ?? 0),
              )
            );
          });
          expect(performance.now() - killedMs, `round ${round}`).to.be.lessThan(BACK_WITHIN_MS);
          expect(threadOf()?.lastError).to.contain('killed by the test');
        }
        const before = writing.acknowledged();
        await eventually('sends after it', () => writing.acknowledged() >= before + 50);
        await writing.end();
        const all = company.writers.flatMap(({ acknowledged }) => acknowledged.map(({ txnId }) => txnId));
        const last = new Set(company.writers.map(({ acknowledged }) => acknowledged.at(-1)?.txnId));
        await eventually('the last sends in the sync', () => {
          const seen = new Set(follower.texts);
          return [...last].every((txnId) => seen.has(txnId ?? ''));
        });
        await follower.end();
        expect(follower.problems.filter((problem) => !LOST.test(problem))).to.deep.equal([]);
        expect(new Set(follower.texts).size, 'a sync showed a message twice').to.equal(follower.texts.length);
        expect(follower.texts.filter((text) => !all.includes(text))).to.deep.equal([]);
        await expectGoodEnd(company, server.address);
        expect(server.failures).to.deep.equal([]);
        // The others were left alone.
        for (const { name, restarts } of supervisor.status().threads)
          expect(restarts, name).to.equal(name === thread ? 3 : 0);
      } finally {
        await server.dispose();
      }
    });
  }

  it('a thread dies of an uncaught error under load: it is back, the inspector says why, nothing is lost', async () => {
    const server = await startTroupe({
      gateways: 2,
      mischief: true,
      environment: { TROUPE_LOG_LEVEL: 'silent' },
    });
    const inspector = clientOfUrl(server.inspectorUrl);
    try {
      const { hostname, port } = new URL(server.url);
      const address = { host: hostname, port: Number(port) };
      const company = await gather(address);
      const writing = load(company, address);
      for (const thread of ['store', 'gateway-1']) {
        const before = writing.acknowledged();
        await eventually('some sends', () => writing.acknowledged() >= before + 50);
        server.mischief({ kind: 'crash', thread });
        await eventually(`${thread} again`, async () => {
          const { body } = await inspector.get('/_troupe/inspector/v1/threads');
          const { threads } = body as unknown as { readonly threads: readonly ThreadStatus[] };
          const found = threads.find(({ name }) => name === thread);
          if (found?.restarts !== 1 || found.state !== 'running') return false;
          expect(found.lastError).to.contain('crashed by the test');
          return true;
        });
      }
      const before = writing.acknowledged();
      await eventually('sends after it', () => writing.acknowledged() >= before + 50);
      await writing.end();
      await expectGoodEnd(company, address);
      expect(await server.stop()).to.equal(0);
    } finally {
      inspector.close();
      await server.dispose();
    }
  });
});
