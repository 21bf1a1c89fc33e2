import { expect } from 'chai';
import { Compile } from 'typebox/compile';
import type { ActorStatus, ThreadStatus } from '../../actors/kit/status.ts';
import type { CacheReport } from '../../src/inspector/cache-report.ts';
import type { LimitReport } from '../../src/inspector/limit-report.ts';
import type { StreamReport } from '../../src/inspector/stream-report.ts';
import { streams as registered } from '../../src/streams/registry.ts';
import { type HttpClient, pathOf } from '../support/http-client.ts';
import { clientOfUrl, eventually, type Person, personOf, register } from '../support/person.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 120_000;
const BASE = '/_troupe/inspector/v1';

interface Lists {
  readonly actors: ActorStatus;
  readonly threads: ThreadStatus;
  readonly streams: StreamReport;
  readonly caches: CacheReport;
  readonly limits: LimitReport;
}

async function readList<Name extends keyof Lists>(http: HttpClient, name: Name): Promise<Lists[Name][]> {
  const { status, body, text } = await http.get(`${BASE}/${name}`);
  expect(status, text).to.equal(200);
  return (body as unknown as Record<Name, Lists[Name][]>)[name];
}

/** The first person of a server with its token: the administrator. */
async function registerAdmin(http: HttpClient, token: string): Promise<Person> {
  const body = { username: 'admin', password: 'open sesame 42' };
  const challenge = await http.post('/_matrix/client/v3/register', body, { token: null });
  const { session } = challenge.body as { session: string };
  const auth = { type: 'm.login.registration_token', token, session };
  const answer = await http.post('/_matrix/client/v3/register', { ...body, auth }, { token: null });
  expect(answer.status, answer.text).to.equal(200);
  const made = answer.body as { user_id: string; access_token: string };
  return personOf(http, made.user_id, made.access_token);
}

describe('the inspector', function () {
  this.timeout(STORY_TIMEOUT_MS);

  describe('of a server that has done some work', () => {
    let server: TroupeProcess;
    let http: HttpClient;
    let inspector: HttpClient;
    let admin: Person;
    let ann: Person;
    let roomId: string;

    before(async () => {
      server = await startTroupe({ gateways: 2 });
      http = clientOfUrl(server.url);
      inspector = clientOfUrl(server.inspectorUrl);
      admin = await registerAdmin(http, server.firstToken ?? '');
      ann = await register(http, 'ann');
      roomId = await ann.createRoom({ name: 'Stage' });
      for (let number = 0; number < 20; number += 1) await ann.send(roomId, `txn-${number}`, 'hello');
      await ann.type(roomId, true);
      const { next_batch: since } = await ann.sync();
      await ann.receipt(roomId, await ann.send(roomId, 'last', 'read me'));
      await ann.sync(since);
    });
    after(async () => {
      http?.close();
      inspector?.close();
      await server?.dispose();
    });

    it('actors: thread, state, depth, age, handled, failed, restarts, times per message, last error', async () => {
      const actors = await readList(inspector, 'actors');
      for (const actor of actors) {
        expect(actor.state, actor.name).to.equal('running');
        expect(actor).to.include({
          failed: 0,
          refused: 0,
          dropped: 0,
          restarts: 0,
          incarnation: 1,
          lastError: '',
        });
        expect(actor.depth).to.be.a('number');
        expect(actor.oldestAgeMs).to.be.a('number');
      }
      const byName = new Map(actors.map((actor) => [actor.name, actor]));
      for (const name of [
        'committer',
        'rooms',
        'typing',
        'receipts',
        'accounts',
        'inspector',
        'http@gateway-2',
      ])
        expect(byName.has(name), name).to.equal(true);
      const rooms = byName.get('rooms');
      expect(rooms?.thread).to.equal('store');
      expect(rooms?.handled).to.be.greaterThan(21);
      const sends = rooms?.messages.find(({ name }) => name === 'rooms.send-event');
      expect(sends?.count).to.equal(21);
      expect(sends?.p50Ms).to.be.greaterThan(0);
      expect(sends?.p99Ms).to.be.at.least(sends?.p50Ms ?? Infinity);
    });

    it('streams: owner, epoch, positions, every subscriber with its lag, catch-ups, drops, pokes, waiters, last error', async () => {
      await eventually('all subscribers at the end', async () =>
        (await readList(inspector, 'streams')).every(({ subscribers }) =>
          subscribers.every(({ lag }) => lag === 0),
        ),
      );
      const streams = await readList(inspector, 'streams');
      expect(streams.map(({ name }) => name)).to.deep.equal(registered.map(({ name }) => name));
      for (const stream of streams) {
        expect(stream.epoch > 0, `epoch of ${stream.name}`).to.equal(stream.kind === 'memory');
        expect(stream.published).to.equal(stream.committed);
        const threads = stream.subscribers.map(({ thread }) => thread);
        expect(threads, stream.name).to.include.members(['store', 'gateway-1', 'gateway-2']);
        for (const subscriber of stream.subscribers) {
          expect(subscriber.state, `${stream.name} ${subscriber.thread}`).to.equal('live');
          expect(subscriber).to.include({
            epoch: stream.epoch,
            lag: 0,
            waiters: 0,
            waitersTimedOut: 0,
            lastError: '',
          });
          expect(subscriber.catchUps).to.include.keys('count', 'rows', 'p50Ms', 'p99Ms');
          expect(subscriber.drops).to.be.an('object');
        }
      }
      const events = streams.find(({ name }) => name === 'events');
      expect(events?.owner).to.equal('rooms');
      expect(events?.published).to.be.greaterThan(21);
      expect(events?.rowsPublished).to.equal(events?.published);
      for (const { rowsApplied } of events?.subscribers ?? [])
        expect(rowsApplied).to.equal(events?.published);
    });

    it('caches: hits, misses, ratio, size, invalidations, by thread', async () => {
      const caches = await readList(inspector, 'caches');
      const tokens = caches.filter(({ name }) => name === 'access-tokens');
      expect(tokens.length).to.be.greaterThan(0);
      for (const cache of tokens) {
        expect(cache.thread).to.match(/^gateway-/);
        expect(cache.hits).to.be.greaterThan(cache.misses);
        expect(cache.hitRatio).to.be.closeTo(cache.hits / (cache.hits + cache.misses), 1e-9);
        expect(cache.size).to.be.greaterThan(0);
        expect(cache.invalidations).to.be.a('number');
      }
    });

    it('threads: lag, heap, CPU', async () => {
      const threads = await eventually('measures', async () => {
        const list = await readList(inspector, 'threads');
        return list.every(({ heapUsedBytes }) => heapUsedBytes > 0) && list;
      });
      expect(threads.map(({ name }) => name)).to.include.members(['store', 'main', 'gateway-1', 'gateway-2']);
      for (const thread of threads) {
        expect(thread.state).to.be.oneOf(['running', 'blocked']);
        expect(thread).to.include({ restarts: 0, lastError: '' });
        for (const figure of [thread.lagP50Ms, thread.lagMaxMs, thread.cpuShare, thread.heartbeatAgeMs])
          expect(figure).to.be.at.least(0);
      }
    });

    it('a room, and 404 for one that is not known', async () => {
      const known = await inspector.get(`${BASE}${pathOf`/rooms/${roomId}`}`);
      expect(known.status, known.text).to.equal(200);
      expect(known.body).to.deep.include({
        roomId,
        roomVersion: '12',
        creator: ann.userId,
        forwardExtremities: 1,
        members: { join: 1 },
        localMembers: { join: 1 },
        membershipsConsistent: true,
        inconsistentMemberships: 0,
      });
      const unknown = await inspector.get(`${BASE}${pathOf`/rooms/${'!none:localhost'}`}`);
      expect([unknown.status, (unknown.body as { errcode: string }).errcode]).to.deep.equal([
        404,
        'M_NOT_FOUND',
      ]);
    });

    it('every GET answer is as its own OpenAPI document says', async () => {
      const document = (await inspector.get(`${BASE}/openapi.json`)).body as unknown as {
        readonly openapi: string;
        readonly info: { readonly title: string; readonly version: string };
        readonly paths: Readonly<
          Record<
            string,
            Readonly<
              Record<
                string,
                {
                  readonly parameters: readonly { readonly name: string; readonly in: string }[];
                  readonly responses: Readonly<
                    Record<string, { readonly content: { 'application/json': { readonly schema: object } } }>
                  >;
                }
              >
            >
          >
        >;
      };
      expect(document.openapi).to.match(/^3\.1\./);
      expect(document.info.title).to.be.a('string').that.is.not.empty;
      expect(Object.keys(document.paths)).to.have.members([
        `${BASE}/actors`,
        `${BASE}/actors/{name}/restart`,
        `${BASE}/streams`,
        `${BASE}/caches`,
        `${BASE}/threads`,
        `${BASE}/limits`,
        `${BASE}/delayed-events`,
        `${BASE}/reports`,
        `${BASE}/destinations`,
        `${BASE}/destinations/{destination}/retry`,
        `${BASE}/partial-rooms`,
        `${BASE}/partial-rooms/{roomId}/retry`,
        `${BASE}/rooms/{roomId}`,
        `${BASE}/rooms/{roomId}/state/{eventId}/why`,
        `${BASE}/rooms/{roomId}/state/diff`,
        `${BASE}/rooms/{roomId}/purge`,
        `${BASE}/signing-keys`,
        `${BASE}/readiness`,
        `${BASE}/config`,
        `${BASE}/config/reload`,
        `${BASE}/log-level`,
      ]);
      const queries = new Map([
        [`${BASE}/rooms/{roomId}/state/{eventId}/why`, '?type=m.room.create&state_key='],
        [`${BASE}/rooms/{roomId}/state/diff`, '?from=current&to=current'],
      ]);
      let checked = 0;
      for (const [path, methods] of Object.entries(document.paths)) {
        for (const [method, operation] of Object.entries(methods)) {
          const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
          const inPath = operation.parameters.filter((parameter) => parameter.in === 'path');
          expect(inPath.map(({ name }) => name)).to.deep.equal(names);
          if (method !== 'get') continue;
          const asked = path.replace('{roomId}', encodeURIComponent(roomId)).replace('{eventId}', 'current');
          const answer = await inspector.get(asked + (queries.get(path) ?? ''));
          expect(answer.status, answer.text).to.equal(200);
          const schema = operation.responses['200']?.content['application/json'].schema ?? {};
          const problems = [...Compile(schema).Errors(answer.body)];
          expect(problems, path).to.deep.equal([]);
          // A schema that takes anything says nothing.
          expect(Compile(schema).Check({ orchestra: 1 }), path).to.equal(false);
          checked += 1;
        }
      }
      expect(checked).to.equal(15);
    });

    it('restarts an actor: a new incarnation and epoch, and clients go on', async () => {
      const epochOf = async (): Promise<number> =>
        (await readList(inspector, 'streams')).find(({ name }) => name === 'typing')?.epoch ?? 0;
      const [before, since] = [await epochOf(), (await ann.sync()).next_batch];
      const answer = await inspector.post(`${BASE}/actors/typing/restart`, {});
      expect([answer.status, answer.body], answer.text).to.deep.equal([200, { restarted: 'typing' }]);
      const typing = (await readList(inspector, 'actors')).find(({ name }) => name === 'typing');
      expect(typing).to.include({ state: 'running', incarnation: 2, restarts: 1, failed: 0 });
      expect(await epochOf()).to.not.equal(before);
      await ann.sync(since, 1_000);
      await ann.type(roomId, true);
      await ann.send(roomId, 'after', 'after');
      const fresh = await ann.sync();
      expect(fresh.rooms?.join?.[roomId]?.ephemeral?.events[0]?.content).to.deep.equal({
        user_ids: [ann.userId],
      });
    });

    it('restarts owners of durable streams and the committer too: nothing is lost', async () => {
      for (const name of [
        'rooms',
        'receipts',
        'accounts',
        'committer',
        'http@gateway-1',
        'views@gateway-2',
      ]) {
        const answer = await inspector.post(`${BASE}${pathOf`/actors/${name}`}/restart`, {});
        expect(answer.status, `${name}: ${answer.text}`).to.equal(200);
        const client = clientOfUrl(server.url);
        const self = personOf(client, ann.userId, ann.token);
        await self.send(roomId, `restarted-${name}`, name);
        expect((await self.readAll(roomId)).at(-1)).to.equal(name);
        client.close();
      }
      const actors = await readList(inspector, 'actors');
      expect(actors.filter(({ state }) => state !== 'running')).to.deep.equal([]);
      expect(actors.filter(({ failed }) => failed > 0)).to.deep.equal([]);
    });

    it('404 for an actor that does not exist; the inspector does not restart itself', async () => {
      const unknown = await inspector.post(`${BASE}/actors/prompter/restart`, {});
      expect([unknown.status, (unknown.body as { errcode: string }).errcode]).to.deep.equal([
        404,
        'M_NOT_FOUND',
      ]);
      const itself = await inspector.post(`${BASE}/actors/inspector/restart`, {});
      expect(itself.status).to.equal(400);
    });

    it('on the main port for administrators only', async () => {
      const inWords = async (token: string | null, method: string, path: string): Promise<string> => {
        const { status, body } = await http.request(method, `${BASE}${path}`, { token });
        return `${status} ${(body as { errcode?: string }).errcode ?? ''}`.trim();
      };
      for (const [method, path] of [
        ['GET', '/actors'],
        ['GET', '/streams'],
        ['GET', '/caches'],
        ['GET', '/threads'],
        ['GET', '/limits'],
        ['GET', '/delayed-events'],
        ['GET', '/openapi.json'],
        ['GET', pathOf`/rooms/${roomId}`],
        ['POST', '/actors/presence/restart'],
      ] as const) {
        expect(await inWords(null, method, path), path).to.equal('401 M_MISSING_TOKEN');
        expect(await inWords('made-up', method, path), path).to.equal('401 M_UNKNOWN_TOKEN');
        expect(await inWords(ann.token, method, path), path).to.equal('403 M_FORBIDDEN');
        expect(await inWords(admin.token, method, path), path).to.equal('200');
      }
      const presence = (await readList(inspector, 'actors')).find(({ name }) => name === 'presence');
      expect(presence?.incarnation, 'the refused ones restarted nothing').to.equal(2);
    });

    it('nothing but the inspector is on its own listener', async () => {
      const { status } = await inspector.get('/_matrix/client/versions');
      expect(status).to.equal(404);
    });
  });

  it('rate limits: the list and the log name the limiter that fired', async () => {
    const server = await startTroupe({
      environment: {
        TROUPE_LOG_LEVEL: 'info',
        TROUPE_RATE_LIMITS_ENABLED: 'true',
        TROUPE_RATE_LIMITS_MESSAGE: '{ per_second = 0.01, burst = 3 }',
        TROUPE_RATE_LIMITS_LOGIN: '{ per_second = 0.01, burst = 2 }',
      },
    });
    const [http, inspector] = [clientOfUrl(server.url), clientOfUrl(server.inspectorUrl)];
    try {
      const ann = await register(http, 'ann');
      const roomId = await ann.createRoom();
      expect(await readList(inspector, 'limits')).to.deep.equal([]);
      for (let number = 0; number < 3; number += 1) await ann.send(roomId, `txn-${number}`, 'hello');
      const refused = await ann.trySend(roomId, 'txn-3', 'too much');
      expect(refused.status).to.equal(429);
      expect(refused.body).to.include({ errcode: 'M_LIMIT_EXCEEDED' });
      expect((refused.body as { retry_after_ms: number }).retry_after_ms).to.be.within(1, 100_000);
      expect(refused.headers['retry-after']).to.match(/^\d+$/);
      const login = {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: 'ann' },
        password: 'no',
      };
      const statuses: number[] = [];
      for (let number = 0; number < 4; number += 1)
        statuses.push((await http.post('/_matrix/client/v3/login', login, { token: null })).status);
      expect(statuses).to.deep.equal([403, 403, 429, 429]);
      expect(await readList(inspector, 'limits')).to.have.deep.members([
        { class: 'message', kind: 'user', thread: 'gateway-1', refused: 1 },
        { class: 'login', kind: 'address', thread: 'gateway-1', refused: 2 },
      ]);
      const lines = await eventually('three lines', () => {
        const found = server
          .output()
          .split('\n')
          .filter((line) => line.includes('"rate limited"'));
        return found.length === 3 && found.map((line) => JSON.parse(line) as Record<string, unknown>);
      });
      expect(lines.map((line) => [line['class'], line['by'], line['key']])).to.deep.equal([
        ['message', 'user', ann.userId],
        ['login', 'address', '127.0.0.1'],
        ['login', 'address', '127.0.0.1'],
      ]);
      expect(lines[0]?.['request']).to.equal(refused.headers['x-request-id']);
    } finally {
      http.close();
      inspector.close();
      await server.dispose();
    }
  });
});
