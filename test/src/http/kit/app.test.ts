import { expect } from 'chai';
import { Type } from 'typebox';
import { AskFailed } from '../../../../actors/kit/ref.ts';
import { type Endpoint, JsonText, defineEndpoint, reply } from '../../../../src/http/kit/endpoint.ts';
import { refuse } from '../../../../src/matrix/refusal.ts';
import { type HttpAnswer, pathOf } from '../../../support/http-client.ts';
import { type TestApp, type TestAppOptions, startTestApp, testConfig } from './test-app.ts';

const open = { spec: 'test', auth: 'none', rateLimit: null, reply: Type.Unknown(), needs: [] } as const;

const echo = defineEndpoint({
  ...open,
  method: 'GET',
  path: '/_matrix/test/{first}/{second?}',
  aliases: ['/_matrix/unstable/{second}/test/{first}'],
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    via: Type.Optional(Type.Array(Type.String())),
  }),
  handle: ({ params, query }) => Promise.resolve({ params, query }),
});

const write = defineEndpoint({
  ...open,
  method: 'PUT',
  path: '/_matrix/write/{roomId}',
  params: Type.Object({ roomId: Type.String({ pattern: '^!' }) }),
  body: Type.Object({ name: Type.String() }),
  handle: ({ params, body }) => Promise.resolve({ room: params.roomId, body }),
});

const optional = defineEndpoint({
  ...open,
  method: 'POST',
  path: '/_matrix/optional',
  body: Type.Object({ reason: Type.Optional(Type.String()) }),
  handle: ({ body }) => Promise.resolve({ body }),
});

function answering(path: string, handle: () => Promise<unknown>): Endpoint {
  return defineEndpoint({ ...open, method: 'GET', path, handle });
}

const circular: Record<string, unknown> = {};
circular['self'] = circular;

const ANSWERS: readonly Endpoint[] = [
  answering('/answer/plain', () => Promise.resolve({ a: ['ü'] })),
  answering('/answer/text', () => Promise.resolve(new JsonText('{"already":"json"}'))),
  answering('/answer/reply', () => Promise.resolve(reply(202, new JsonText('[]'), { 'X-More': 'yes' }))),
  answering('/answer/html', () =>
    Promise.resolve(reply(200, new TextEncoder().encode('<p>ü</p>'), { 'Content-Type': 'text/html' })),
  ),
  answering('/answer/redirect', () => Promise.resolve(reply(302, undefined, { Location: '/there' }))),
  answering('/answer/nothing', () => Promise.resolve(reply(204, undefined))),
  answering('/answer/refusal', () => Promise.resolve(refuse('M_FORBIDDEN', 'No.', { extra: { hint: 1 } }))),
  answering('/answer/throw', () => Promise.reject(new Error('secret detail'))),
  answering('/answer/throw-at-once', () => {
    throw new TypeError('secret detail');
  }),
  answering('/answer/circular', () => Promise.resolve(circular)),
  answering('/answer/timed-out', () => Promise.reject(new AskFailed('timed-out', 'rooms', 'rooms.send'))),
  answering('/answer/stopped', () => Promise.reject(new AskFailed('stopped', 'rooms', 'rooms.send'))),
  answering('/answer/mailbox-full', () =>
    Promise.reject(new AskFailed('mailbox-full', 'rooms', 'rooms.send')),
  ),
];

describe('http app', () => {
  let test: TestApp;

  const serve = async (endpoints: readonly Endpoint[], options?: TestAppOptions): Promise<void> => {
    test = await startTestApp(endpoints, options);
  };
  const errcodeOf = (answer: HttpAnswer): unknown => (answer.body as { errcode?: unknown } | null)?.errcode;

  afterEach(() => test.close());

  describe('finding the endpoint', () => {
    beforeEach(() => serve([echo, write]));

    it('decodes parameters once and converts the query', async () => {
      const answer = await test.client.get(pathOf`/_matrix/test/${'a/b%2F+'}/${'ü'}`, {
        query: { limit: 3, via: ['x', 'y'] },
      });
      expect(answer.body).to.deep.equal({
        params: { first: 'a/b%2F+', second: 'ü' },
        query: { limit: 3, via: ['x', 'y'] },
      });
    });

    it('serves an alias and an absent optional parameter alike', async () => {
      const alias = await test.client.get('/_matrix/unstable/s/test/f');
      expect(alias.body).to.deep.equal({ params: { first: 'f', second: 's' }, query: {} });
      const absent = await test.client.get('/_matrix/test/f');
      expect(absent.body).to.deep.equal({ params: { first: 'f', second: '' }, query: {} });
    });

    it('refuses broken escapes, wrong parameters and wrong queries with 400 M_INVALID_PARAM', async () => {
      for (const path of [
        '/_matrix/test/%zz',
        '/_matrix/test/a?limit=x',
        '/_matrix/test/a?limit=0',
        '/_matrix/test/a?x=%',
      ]) {
        const answer = await test.client.get(path);
        expect([answer.status, errcodeOf(answer)], path).to.deep.equal([400, 'M_INVALID_PARAM']);
      }
      const answer = await test.client.put('/_matrix/write/room', { name: 'a' });
      expect([answer.status, errcodeOf(answer)]).to.deep.equal([400, 'M_INVALID_PARAM']);
    });

    it('answers 404 M_UNRECOGNIZED to an unknown path and 405 M_UNRECOGNIZED to a wrong method', async () => {
      const unknown = await test.client.get('/_matrix/nothing');
      expect([unknown.status, errcodeOf(unknown)]).to.deep.equal([404, 'M_UNRECOGNIZED']);
      const wrong = await test.client.delete('/_matrix/test/a');
      expect([wrong.status, errcodeOf(wrong), wrong.headers.allow]).to.deep.equal([
        405,
        'M_UNRECOGNIZED',
        'GET, HEAD',
      ]);
    });

    it('takes a request line with a whole URL, and refuses one with neither path nor URL', async () => {
      const { host, port } = test.server.address;
      const raw = await test.connect();
      raw.write(`GET http://${host}:${port}/_matrix/test/a?limit=2 HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(await raw.received((text) => text.endsWith('}'))).to.contain('"limit":2');
      raw.write('OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n');
      expect(await raw.received((text) => text.includes('M_UNRECOGNIZED'))).to.contain('404 Not Found');
    });

    it('answers HEAD without a body', async () => {
      const raw = await test.connect();
      raw.write('HEAD /_matrix/test/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      const text = await raw.closed();
      expect(text)
        .to.match(/^HTTP\/1\.1 200 OK\r\n/)
        .and.to.match(/\r\n\r\n$/);
    });
  });

  describe('cross-origin requests', () => {
    beforeEach(() => serve([echo, ...ANSWERS]));

    it('are allowed on every answer, errors included', async () => {
      for (const path of [
        '/_matrix/test/a',
        '/_matrix/nothing',
        '/answer/throw',
        '/answer/refusal',
        '/answer/nothing',
      ]) {
        const { headers } = await test.client.get(path);
        expect(headers, path).to.deep.include({
          'access-control-allow-origin': '*',
          'access-control-allow-headers': 'X-Requested-With, Content-Type, Authorization',
        });
        expect(headers['access-control-allow-methods'], path).to.match(/GET.*POST.*PUT.*DELETE.*OPTIONS/);
      }
    });

    it('get a preflight answer for everything under /_matrix and /.well-known, known or not', async () => {
      for (const path of ['/_matrix/test/a', '/_matrix/nothing/at/all', '/.well-known/matrix/client']) {
        const answer = await test.client.request('OPTIONS', path);
        expect([answer.status, answer.text], path).to.deep.equal([204, '']);
        expect(answer.headers['access-control-allow-origin'], path).to.equal('*');
      }
      expect((await test.client.request('OPTIONS', '/other')).status).to.equal(404);
    });
  });

  describe('answers', () => {
    beforeEach(() => serve(ANSWERS));

    it('are compact JSON with their length in bytes', async () => {
      const answer = await test.client.get('/answer/plain');
      expect([answer.status, answer.text]).to.deep.equal([200, '{"a":["ü"]}']);
      expect(answer.headers).to.include({ 'content-type': 'application/json', 'content-length': '12' });
    });

    it('may be JSON text, have a status and headers, be bytes, or have no body', async () => {
      expect((await test.client.get('/answer/text')).text).to.equal('{"already":"json"}');
      const made = await test.client.get('/answer/reply');
      expect([made.status, made.text, made.headers['x-more']]).to.deep.equal([202, '[]', 'yes']);
      const html = await test.client.get('/answer/html');
      expect([html.text, html.headers['content-type']]).to.deep.equal(['<p>ü</p>', 'text/html']);
      const redirect = await test.client.get('/answer/redirect');
      expect([redirect.status, redirect.text, redirect.headers.location]).to.deep.equal([302, '', '/there']);
      const nothing = await test.client.get('/answer/nothing');
      expect([nothing.status, nothing.headers['content-length']]).to.deep.equal([204, undefined]);
    });

    it('turn a refusal into its status and {errcode, error, …}', async () => {
      const answer = await test.client.get('/answer/refusal');
      expect([answer.status, answer.body]).to.deep.equal([
        403,
        { errcode: 'M_FORBIDDEN', error: 'No.', hint: 1 },
      ]);
    });

    it('turn a throw into 500 M_UNKNOWN that tells the request id only; the log has the stack', async () => {
      for (const path of ['/answer/throw', '/answer/throw-at-once', '/answer/circular']) {
        const answer = await test.client.get(path);
        const requestId = String(answer.headers['x-request-id']);
        expect([answer.status, errcodeOf(answer)], path).to.deep.equal([500, 'M_UNKNOWN']);
        expect(answer.text).to.contain(requestId).and.not.to.contain('secret').and.not.to.contain('.ts');
        const line = test.lines.find(({ level, request }) => level === 'error' && request === requestId);
        expect(line?.['error'], path).to.be.instanceOf(Error);
        expect(line?.['route']).to.equal(`GET ${path}`);
      }
    });

    it('turn an ask that failed into 503 with retry_after_ms and Retry-After', async () => {
      for (const [path, words] of [
        ['/answer/timed-out', 'did not answer'],
        ['/answer/stopped', 'did not answer'],
        ['/answer/mailbox-full', 'busy'],
      ] as const) {
        const answer = await test.client.get(path);
        expect([answer.status, answer.headers['retry-after']], path).to.deep.equal([503, '2']);
        expect(answer.body, path).to.deep.include({ errcode: 'M_UNKNOWN', retry_after_ms: 2000 });
        expect(answer.text).to.contain(words);
      }
      expect(test.lines.find(({ level }) => level === 'warn')).to.include({
        actor: 'rooms',
        ask: 'rooms.send',
      });
    });
  });

  describe('bodies', () => {
    beforeEach(() => serve([write, optional]));

    const put = (rawBody: string | Uint8Array): Promise<HttpAnswer> =>
      test.client.request('PUT', '/_matrix/write/!a', { rawBody });

    it('reach the handler whole, unknown fields included, whatever the content type says', async () => {
      const answer = await test.client.put(
        '/_matrix/write/!a',
        { name: 'ü', more: [1] },
        { headers: { 'Content-Type': 'text/plain' } },
      );
      expect(answer.body).to.deep.equal({ room: '!a', body: { name: 'ü', more: [1] } });
    });

    it('are refused by what is wrong with them', async () => {
      for (const [body, errcode] of [
        ['{', 'M_NOT_JSON'],
        [Buffer.from([0x7b, 0xff, 0x7d]), 'M_NOT_JSON'],
        ['\ufeff{"name":"a"}', 'M_NOT_JSON'],
        ['{"name":1}', 'M_BAD_JSON'],
        ['[]', 'M_BAD_JSON'],
        ['{"name":"a","name":"b"}', 'M_BAD_JSON'],
        ['{"name":"a","__proto__":{}}', 'M_BAD_JSON'],
        [`{"name":${'['.repeat(200)}${']'.repeat(200)}}`, 'M_BAD_JSON'],
        ['{"other":1}', 'M_MISSING_PARAM'],
      ] as const) {
        const answer = await put(body);
        expect([answer.status, errcodeOf(answer)], String(body)).to.deep.equal([400, errcode]);
      }
    });

    it('may be absent only where nothing in them is required', async () => {
      const fine = await test.client.request('POST', '/_matrix/optional');
      expect([fine.status, fine.body]).to.deep.equal([200, { body: {} }]);
      const refused = await test.client.request('PUT', '/_matrix/write/!a');
      expect([refused.status, errcodeOf(refused)]).to.deep.equal([400, 'M_NOT_JSON']);
    });

    it('are refused with 415 when they are compressed', async () => {
      const answer = await test.client.put(
        '/_matrix/write/!a',
        {},
        { headers: { 'Content-Encoding': 'gzip' } },
      );
      expect(answer.status).to.equal(415);
    });
  });

  describe('figures and log', () => {
    it('count by endpoint, never by URL', async () => {
      await serve([echo, ...ANSWERS]);
      for (const path of [
        '/_matrix/test/a',
        '/_matrix/test/b',
        '/_matrix/test/%',
        '/answer/throw',
        '/nothing',
      ])
        await test.client.get(path);
      const of = (name: string): number | undefined => test.figures.get(`http.endpoint.${name}`);
      const path = 'GET /_matrix/test/{first}/{second?}';
      expect([of(`${path}.requests`), of(`${path}.refused`), of(`${path}.latency`)]).to.deep.equal([3, 1, 3]);
      expect([of('GET /answer/throw.requests'), of('GET /answer/throw.errors')]).to.deep.equal([1, 1]);
      expect(test.figures.get('http.unrecognized')).to.equal(1);
    });

    it('write one access line per request with an id of its own, and never a token', async () => {
      await serve([echo]);
      const token = 'syt_very_secret';
      const first = await test.client.get('/_matrix/test/a', { query: { access_token: token } });
      const second = await test.client.get(`/nothing/${token}`, { token });
      const [one, two] = test.accesses();
      expect(one).to.include({
        method: 'GET',
        route: '/_matrix/test/{first}/{second?}',
        status: 200,
        user: null,
        request: first.headers['x-request-id'],
      });
      expect(one?.['ms']).to.be.a('number');
      expect(two).to.include({ route: null, status: 404, request: second.headers['x-request-id'] });
      expect(one?.['request']).not.to.equal(two?.['request']);
      expect(JSON.stringify(test.lines)).not.to.contain(token);
    });
  });

  it('limits by address where nobody is asked who is calling, and says which limit it was', async () => {
    const limited = defineEndpoint({
      ...open,
      method: 'GET',
      path: '/_matrix/limited',
      rateLimit: 'login',
      handle: () => Promise.resolve({}),
    });
    await serve([limited], { config: testConfig({ rateLimits: { login: { perSecond: 0.5, burst: 1 } } }) });
    const from = (address: string) =>
      test.client.get('/_matrix/limited', { headers: { 'X-Forwarded-For': address } });
    expect((await from('192.0.2.1')).status).to.equal(200);
    expect((await from('192.0.2.2')).status).to.equal(200);
    const refused = await from('198.51.100.1, 192.0.2.2');
    expect([refused.status, errcodeOf(refused), refused.headers['retry-after']]).to.deep.equal([
      429,
      'M_LIMIT_EXCEEDED',
      '2',
    ]);
    expect((refused.body as { retry_after_ms: number }).retry_after_ms).to.be.within(1000, 2000);
    expect(test.figures.get('http.rate-limited.login.address')).to.equal(1);
    expect(test.lines.find(({ message }) => message === 'rate limited')).to.include({
      class: 'login',
      by: 'address',
    });
  });

  it('gives a handler only what it needs, and fails at the start when that is not there', async () => {
    const needy = defineEndpoint({
      ...open,
      method: 'GET',
      path: '/_matrix/needy',
      needs: ['clock', 'served'],
      handle: ({ services }) =>
        Promise.resolve({ needs: Object.keys(services), served: [...services.served] }),
    });
    await serve([needy]);
    expect((await test.client.get('/_matrix/needy')).body).to.deep.equal({
      needs: ['clock', 'served'],
      served: ['GET /_matrix/needy'],
    });
    const greedy = defineEndpoint({
      ...open,
      method: 'GET',
      path: '/x',
      needs: ['rooms'],
      handle: () => Promise.resolve({}),
    });
    const failure = await startTestApp([greedy]).catch((error: unknown) => error);
    expect(String(failure)).to.contain('GET /x needs "rooms"');
  });

  it('fails at the start for two endpoints of one path, aliases included, and for an alias with other parameters', async () => {
    await serve([]);
    const other = answering('/_matrix/unstable/{a}/test/{b}', () => Promise.resolve({}));
    expect(String(await startTestApp([echo, other]).catch((error: unknown) => error))).to.contain(
      'is taken by',
    );
    const lost = { ...other, aliases: ['/_matrix/test/{a}'] };
    expect(String(await startTestApp([lost]).catch((error: unknown) => error))).to.contain(
      'has other parameters',
    );
  });
});
