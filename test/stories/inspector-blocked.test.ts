import { expect } from 'chai';
import type { ActorStatus, ThreadStatus } from '../../actors/kit/status.ts';
import type { CacheReport } from '../../src/inspector/cache-report.ts';
import type { StreamReport } from '../../src/inspector/stream-report.ts';
import type { HttpClient } from '../support/http-client.ts';
import { clientOfUrl, eventually, register } from '../support/person.ts';
import { startTroupe } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 120_000;
const BASE = '/_troupe/inspector/v1';
/** "Within reason": nothing of it waits for a thread. The machine may be busy. */
const ANSWER_MS_MAX = 2_000;

async function readList<Item>(inspector: HttpClient, name: string): Promise<readonly Item[]> {
  const startedMs = performance.now();
  const { status, body, text } = await inspector.get(`${BASE}/${name}`);
  expect(status, text).to.equal(200);
  expect(performance.now() - startedMs, name).to.be.lessThan(ANSWER_MS_MAX);
  return (body as unknown as Record<string, readonly Item[]>)[name] ?? [];
}

describe('the inspector while every other thread is blocked', function () {
  this.timeout(STORY_TIMEOUT_MS);

  it('answers, shows who is blocked and how long messages wait; afterwards all recover', async () => {
    const server = await startTroupe({
      gateways: 2,
      mischief: true,
      environment: { TROUPE_LOG_LEVEL: 'silent' },
    });
    const [http, inspector] = [clientOfUrl(server.url), clientOfUrl(server.inspectorUrl)];
    try {
      const ann = await register(http, 'ann');
      const roomId = await ann.createRoom();
      await ann.send(roomId, 'before', 'before');
      const eventsBefore = (await readList<StreamReport>(inspector, 'streams')).find(
        ({ name }) => name === 'events',
      );
      // The store first, so that what the gateways send it waits.
      server.mischief({ kind: 'block', thread: 'store' });
      await eventually('a blocked store', async () => {
        const threads = await readList<ThreadStatus>(inspector, 'threads');
        return threads.find(({ name }) => name === 'store')?.state === 'blocked';
      });
      const sent = ann.send(roomId, 'during', 'during');
      const ageOfOldest = async (): Promise<number> => {
        const actors = await readList<ActorStatus>(inspector, 'actors');
        const rooms = actors.find(({ name }) => name === 'rooms');
        return rooms !== undefined && rooms.depth > 0 ? rooms.oldestAgeMs : 0;
      };
      await eventually('a message that waits', async () => (await ageOfOldest()) > 0);
      server.mischief({ kind: 'block', thread: null });
      const blocked = await eventually('all of them blocked', async () => {
        const threads = await readList<ThreadStatus>(inspector, 'threads');
        const others = threads.filter(({ name }) => name !== 'main');
        return others.every(({ state }) => state === 'blocked') && threads;
      });
      expect(blocked.find(({ name }) => name === 'main')?.state).to.equal('running');

      const first = await ageOfOldest();
      const later = await eventually('it grows', async () => {
        const age = await ageOfOldest();
        return age > first + 200 && age;
      });
      expect(later).to.be.greaterThan(first);
      const actors = await readList<ActorStatus>(inspector, 'actors');
      expect(actors.find(({ name }) => name === 'rooms')).to.include({ state: 'running', thread: 'store' });
      const streams = await readList<StreamReport>(inspector, 'streams');
      expect(streams.find(({ name }) => name === 'events')?.published).to.equal(eventsBefore?.published);
      expect((await readList<CacheReport>(inspector, 'caches')).length).to.be.greaterThan(0);
      await readList(inspector, 'limits');
      expect((await inspector.get(`${BASE}/rooms/${encodeURIComponent(roomId)}`)).status).to.equal(200);
      expect((await inspector.get(`${BASE}/openapi.json`)).status).to.equal(200);
      const why = `rooms/${encodeURIComponent(roomId)}/state/current/why?type=m.room.member&state_key=${ann.userId}`;
      const explained = await inspector.get(`${BASE}/${why}`);
      expect(explained.status, explained.text).to.equal(200);
      expect(explained.body).to.have.nested.property('winner.sender', ann.userId);

      server.unblock();
      await sent;
      expect((await ann.readAll(roomId)).join()).to.equal('before,during');
      await eventually('all of them running', async () => {
        const threads = await readList<ThreadStatus>(inspector, 'threads');
        return threads.every(({ state, restarts }) => state === 'running' && restarts === 0);
      });
      const after = await eventually('empty mailboxes', async () => {
        const list = await readList<ActorStatus>(inspector, 'actors');
        return list.every(({ depth }) => depth === 0) && list;
      });
      for (const { name, state, restarts, failed } of after)
        expect({ name, state, restarts, failed }).to.deep.equal({
          name,
          state: 'running',
          restarts: 0,
          failed: 0,
        });
    } finally {
      http.close();
      inspector.close();
      await server.dispose();
    }
  });
});
