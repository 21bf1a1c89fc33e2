import { expect } from 'chai';
import { connect, type Socket } from 'node:net';
import { createHttpClient, type HttpAnswer, type HttpClient, pathOf } from '../support/http-client.ts';
import { type InProcessProgram, startInProcess } from '../support/in-process-program.ts';
import { clientOfUrl, eventually, type Person, register } from '../support/person.ts';

const STORY_TIMEOUT_MS = 120_000;
const BODY_BYTES_MAX = 1_310_720;
const C3 = '/_matrix/client/v3';

/** One request that has to be refused. */
interface Case {
  readonly title: string;
  readonly expected: string;
  send(): Promise<HttpAnswer>;
}

describe('bad days: requests', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: InProcessProgram;
  let http: HttpClient;
  let ann: Person;
  let bob: Person;
  let roomId: string;
  let revoked: string;

  before(async () => {
    server = await startInProcess();
    http = createHttpClient(server.address);
    [ann, bob] = [await register(http, 'ann'), await register(http, 'bob')];
    roomId = await ann.createRoom();
    const gone = await register(http, 'gone');
    await gone.http.post(`${C3}/logout`, {});
    revoked = gone.token;
  });
  after(async () => {
    http?.close();
    await server?.dispose();
  });

  const gauge = (name: string): number =>
    server.program.supervisor.figures('gateway-1').gauges.get(name) ?? 0;

  /** A raw connection: for what no HTTP client would send. */
  function dial(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(server.address.port, server.address.host, () => resolve(socket));
      socket.once('error', reject);
    });
  }

  function readAll(socket: Socket): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.once('end', () => resolve(text)).once('error', reject);
    });
  }

  function sendPath(txnId: string, room = roomId): string {
    return pathOf`/_matrix/client/v3/rooms/${room}/send/m.room.message/${txnId}`;
  }

  /** The head and the beginning of a send whose body is `length` bytes long. */
  function headOf(txnId: string, length: number): string {
    return [
      `PUT ${sendPath(txnId)} HTTP/1.1`,
      'Host: localhost',
      `Authorization: Bearer ${ann.token}`,
      'Content-Type: application/json',
      `Content-Length: ${length}`,
      'Connection: close',
      '\r\n',
    ].join('\r\n');
  }

  const cases: readonly Case[] = [
    {
      title: 'JSON that ends too early',
      expected: '400 M_NOT_JSON',
      send: () => ann.http.request('PUT', sendPath('x'), { rawBody: '{"body":' }),
    },
    {
      title: 'no JSON at all',
      expected: '400 M_NOT_JSON',
      send: () => ann.http.request('POST', `${C3}/createRoom`, { rawBody: 'name=Stage' }),
    },
    {
      title: 'bytes that are no UTF-8',
      expected: '400 M_NOT_JSON',
      send: () =>
        ann.http.request('PUT', sendPath('x'), { rawBody: Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d) }),
    },
    {
      title: 'a list where an object is meant',
      expected: '400 M_BAD_JSON',
      send: () => ann.http.put(sendPath('x'), []),
    },
    {
      title: 'a number where a text is meant',
      expected: '400 M_BAD_JSON',
      send: () => ann.http.post(`${C3}/createRoom`, { name: 5 }),
    },
    {
      title: 'a text where a flag is meant',
      expected: '400 M_BAD_JSON',
      send: () =>
        ann.http.put(pathOf`/_matrix/client/v3/rooms/${roomId}/typing/${ann.userId}`, { typing: 'yes' }),
    },
    {
      title: 'a number that no event may hold',
      expected: '400 M_BAD_JSON',
      send: () => ann.http.put(sendPath('x'), { body: 1.5 }),
    },
    {
      title: 'a query parameter of the wrong type',
      expected: '400 M_INVALID_PARAM',
      send: () => ann.http.get(`${C3}/sync`, { query: { timeout: 'soon' } }),
    },
    {
      title: 'a sync token that is none',
      expected: '400 M_INVALID_PARAM',
      send: () => ann.http.get(`${C3}/sync`, { query: { since: 'yesterday' } }),
    },
    {
      title: 'a page token that is none',
      expected: '400 M_INVALID_PARAM',
      send: () =>
        ann.http.get(pathOf`/_matrix/client/v3/rooms/${roomId}/messages`, {
          query: { dir: 'b', from: 'page two' },
        }),
    },
    {
      title: 'a broken percent code in the path',
      expected: '400 M_INVALID_PARAM',
      send: () => ann.http.get(`${C3}/rooms/%E0%A4%A/state`),
    },
    {
      title: 'sending into an unknown room',
      expected: '403 M_FORBIDDEN',
      send: () => ann.http.put(sendPath('x', '!nowhere:localhost'), { body: 'hello' }),
    },
    {
      title: 'reading an unknown room',
      expected: '403 M_FORBIDDEN',
      send: () => ann.http.get(pathOf`/_matrix/client/v3/rooms/${'!nowhere:localhost'}/state`),
    },
    {
      title: 'joining an unknown room',
      expected: '404 M_NOT_FOUND',
      send: () => ann.http.post(pathOf`/_matrix/client/v3/join/${'!nowhere:localhost'}`, {}),
    },
    {
      title: 'what is no room id',
      expected: '400 M_INVALID_PARAM',
      send: () => ann.http.post(pathOf`/_matrix/client/v3/join/${'nowhere'}`, {}),
    },
    {
      title: "a room of others, with one's own token",
      expected: '403 M_FORBIDDEN',
      send: () => bob.http.put(sendPath('x'), { msgtype: 'm.text', body: 'let me in' }),
    },
    {
      title: 'no token',
      expected: '401 M_MISSING_TOKEN',
      send: () => http.get(`${C3}/sync`),
    },
    {
      title: 'a made-up token',
      expected: '401 M_UNKNOWN_TOKEN',
      send: () => http.get(`${C3}/sync`, { token: 'troupe_0000' }),
    },
    {
      title: 'a revoked token',
      expected: '401 M_UNKNOWN_TOKEN',
      send: () => http.put(sendPath('x'), {}, { token: revoked }),
    },
    {
      title: 'typing for somebody else',
      expected: '403 M_FORBIDDEN',
      send: () =>
        bob.http.put(pathOf`/_matrix/client/v3/rooms/${roomId}/typing/${ann.userId}`, { typing: true }),
    },
    {
      title: 'account data of somebody else',
      expected: '403 M_FORBIDDEN',
      send: () => bob.http.put(pathOf`/_matrix/client/v3/user/${ann.userId}/account_data/org.example`, {}),
    },
    {
      title: 'the inspector without being an administrator',
      expected: '403 M_FORBIDDEN',
      send: () => bob.http.get('/_troupe/inspector/v1/actors'),
    },
    {
      title: 'a body that is too large',
      expected: '413 M_TOO_LARGE',
      send: () => ann.http.put(sendPath('x'), { body: 'x'.repeat(BODY_BYTES_MAX) }),
    },
    {
      title: 'an event that is too large',
      expected: '413 M_TOO_LARGE',
      send: () => ann.http.put(sendPath('x'), { body: 'x'.repeat(70_000) }),
    },
    {
      title: 'an unknown path',
      expected: '404 M_UNRECOGNIZED',
      send: () => ann.http.get(`${C3}/orchestra`),
    },
    {
      title: 'an unknown method',
      expected: '405 M_UNRECOGNIZED',
      send: () => ann.http.delete(`${C3}/sync`),
    },
  ];

  for (const refused of cases) {
    const { title, expected } = refused;
    it(`${title}: ${expected}`, async () => {
      const answer = await refused.send();
      const { errcode, error } = (answer.body ?? {}) as { errcode?: string; error?: unknown };
      expect(`${answer.status} ${errcode}`, answer.text).to.equal(expected);
      expect(error).to.be.a('string').that.is.not.empty;
      expect(answer.headers['access-control-allow-origin']).to.equal('*');
      expect(answer.headers['content-type']).to.equal('application/json');
    });
  }

  it('a body of unknown length that is too large: 413 M_TOO_LARGE, and the connection ends', async () => {
    const socket = await dial();
    const answered = readAll(socket);
    const head = headOf('endless', 0).replace('Content-Length: 0', 'Transfer-Encoding: chunked');
    const chunk = 'x'.repeat(65_536);
    socket.write(head);
    for (let sent = 0; sent <= BODY_BYTES_MAX; sent += chunk.length) socket.write(`10000\r\n${chunk}\r\n`);
    const text = await answered;
    expect(text).to.match(/^HTTP\/1\.1 413 /);
    expect(text).to.match(/access-control-allow-origin: \*/i);
    expect(text).to.match(/"errcode":"M_TOO_LARGE"/);
  });

  it('what is no HTTP: 400 with CORS', async () => {
    const socket = await dial();
    const answered = readAll(socket);
    socket.write('To be or not to be\r\n\r\n');
    const text = await answered;
    expect(text).to.match(/^HTTP\/1\.1 400 /);
    expect(text).to.match(/access-control-allow-origin: \*/i);
    expect(text).to.match(/"errcode":"M_UNKNOWN"/);
  });

  it('slow senders hold up nobody; one that finishes is served, one that hangs up has sent nothing', async () => {
    const body = JSON.stringify({ msgtype: 'm.text', body: 'slowly' });
    const slow = await Promise.all(Array.from({ length: 60 }, () => dial()));
    for (const [index, socket] of slow.entries())
      socket.write(headOf(`slow-${index}`, body.length) + body.slice(0, 10));
    for (let number = 0; number < 20; number += 1) await ann.send(roomId, `quick-${number}`, 'quick');
    const answers = slow.slice(0, 20).map((socket) => readAll(socket));
    for (const socket of slow.slice(0, 20)) for (const letter of body.slice(10)) socket.write(letter);
    for (const socket of slow.slice(20)) socket.destroy();
    for (const answer of await Promise.all(answers)) expect(answer).to.match(/^HTTP\/1\.1 200 /);
    const texts = await ann.readAll(roomId);
    expect(texts.filter((text) => text === 'slowly')).to.have.length(20);
    expect(texts.filter((text) => text === 'quick')).to.have.length(20);
  });

  it('an aborted long poll leaves its place', async () => {
    const { next_batch: since } = await ann.sync();
    const control = new AbortController();
    const polls = Array.from({ length: 30 }, () => ann.sync(since, 60_000, control.signal));
    const outcomes = Promise.allSettled(polls);
    await eventually('30 parked polls', () => gauge('notifier.parked') === 30);
    control.abort();
    expect((await outcomes).every(({ status }) => status === 'rejected')).to.equal(true);
    await eventually('no parked poll', () => gauge('notifier.parked') === 0);
  });

  it('a send whose client has gone is there once when it is sent again', async () => {
    const count = 40;
    await Promise.allSettled(
      Array.from({ length: count }, async (_, index) => {
        const control = new AbortController();
        const sent = ann.http.put(
          sendPath(`gone-${index}`),
          { msgtype: 'm.text', body: `gone-${index}` },
          {
            signal: control.signal,
          },
        );
        // Some before the request is out, some while it is handled, some after the answer.
        for (let turn = 0; turn < index / 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        control.abort();
        await sent;
      }),
    );
    for (let index = 0; index < count; index += 1) await ann.send(roomId, `gone-${index}`, `gone-${index}`);
    const texts = (await ann.readAll(roomId)).filter((text) => text.startsWith('gone-'));
    expect(texts).to.have.length(count);
    expect(new Set(texts)).to.have.property('size', count);
  });

  it('after all that nothing is left over, nothing has crashed, and the server serves on', async () => {
    interface Seen {
      readonly name: string;
      readonly state: string;
      readonly depth: number;
      readonly open: number;
      readonly failed: number;
      readonly restarts: number;
    }
    const { host, port } = server.program.inspectorAddress;
    const inspector = clientOfUrl(`http://${host}:${port}`);
    try {
      const actors = await eventually('rest', async () => {
        const { body } = await inspector.get('/_troupe/inspector/v1/actors');
        const seen = (body as unknown as { actors: Seen[] }).actors;
        // The inspector itself is at work while it answers.
        const others = seen.filter(({ name }) => name !== 'inspector');
        return others.every(({ depth, open }) => depth === 0 && open === 0) && others;
      });
      for (const { name, state, failed, restarts } of actors)
        expect({ name, state, failed, restarts }).to.deep.equal({
          name,
          state: 'running',
          failed: 0,
          restarts: 0,
        });
    } finally {
      inspector.close();
    }
    expect(server.failures).to.deep.equal([]);
    expect(server.program.supervisor.pendingAsks).to.equal(0);
    expect(server.program.supervisor.figures('store').gauges.get('commit.waiting')).to.equal(0);
    const eventId = await ann.send(roomId, 'last', 'still here');
    expect(eventId).to.match(/^\$/);
    expect((await ann.readAll(roomId)).at(-1)).to.equal('still here');
  });
});
