import { expect } from 'chai';
import { Type } from 'typebox';
import type { FoundKey, WantedKey } from '../../../../actors/server-keys/protocol.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { xMatrixHeader } from '../../../../src/federation/x-matrix.ts';
import { defineEndpoint, reply } from '../../../../src/http/kit/endpoint.ts';
import { HEARD_NOTE_EVERY_MS, KEY_REMEMBERED_MS } from '../../../../src/http/kit/server-authentication.ts';
import type { Services } from '../../../../src/http/kit/services.ts';
import type { Json } from '../../../../src/kit/json.ts';
import { encodeBase64 } from '../../../../src/matrix/events/unpadded-base64.ts';
import { makeServerKey, verifyKeyOf } from '../../../../src/matrix/signing.ts';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts';
import { emptyDb, startTestApp, type TestApp } from './test-app.ts';

const US = 'example.org';
const PEER = 'peer.example:8448';
const KEY = makeServerKey(new Uint8Array(32).fill(1), 'one');
const OTHER_KEY = makeServerKey(new Uint8Array(32).fill(2), 'two');
const BODY_BYTES_MAX = 10_000;

const send = defineEndpoint({
  method: 'PUT',
  path: '/_test/send/{txnId}',
  spec: 'of the test',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ txnId: Type.String() }),
  body: Type.Object({ pdus: Type.Array(Type.Object({})) }),
  bodyBytesMax: BODY_BYTES_MAX,
  reply: Type.Object({}),
  needs: [],
  handle: ({ caller, params, body }) => Promise.resolve(reply(200, { caller, params, body })),
});
const look = defineEndpoint({
  method: 'GET',
  path: '/_test/look/{eventId}',
  spec: 'of the test',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ eventId: Type.String() }),
  query: Type.Object({ limit: Type.Optional(Type.Integer()) }),
  reply: Type.Object({}),
  needs: [],
  handle: ({ caller, params, query }) => Promise.resolve(reply(200, { caller, params, query })),
});

describe('requests of other servers', () => {
  let app: TestApp;
  let clock: FakeClock;
  /** What can be had of keys. */
  let known: FoundKey[];
  let asked: (readonly WantedKey[])[];
  let heard: string[];
  /** Until when the peer counts as out of reach. */
  let outUntilTs: number | null;

  beforeEach(async () => {
    clock = createFakeClock();
    [asked, heard] = [[], []];
    outUntilTs = null;
    known = [KEY, OTHER_KEY].map((key) => ({
      serverName: PEER,
      keyId: key.keyId,
      publicKey: encodeBase64(verifyKeyOf(key).publicKey),
      validUntilTs: clock.now() + 10 * KEY_REMEMBERED_MS,
    }));
    const services = {
      'server-keys': {
        async ask(_message: string, { wanted }: { readonly wanted: readonly WantedKey[] }) {
          asked.push(wanted);
          const isWanted = ({ serverName, keyId }: FoundKey): boolean =>
            wanted.some((one) => one.serverName === serverName && one.keyId === keyId);
          return { found: known.filter(isWanted) };
        },
      },
      'federation-sender': {
        tell(_message: string, { serverName }: { readonly serverName: string }) {
          heard.push(serverName);
        },
      },
    } as unknown as Partial<Services>;
    const db = { ...emptyDb, find: () => Promise.resolve({ retryTs: outUntilTs }) } as unknown as ReadDb;
    app = await startTestApp([send, look], { clock, services, db });
  });
  afterEach(() => app.close());

  const header = (
    method: string,
    uri: string,
    content?: Json,
    key = KEY,
    origin = PEER,
    destination = US,
  ): string =>
    xMatrixHeader({ method, uri, ...(content !== undefined && { content }) }, origin, destination, key);

  function put(uri: string, text: string, authorization: string) {
    return app.client.request('PUT', uri, { rawBody: text, headers: { authorization } });
  }
  const get = (uri: string, authorization: string) =>
    app.client.request('GET', uri, { headers: { authorization } });

  it('come to the handler with the name of the server, and stand in the access log with it', async () => {
    const uri = '/_test/send/txn%2F1';
    const body = { pdus: [{ a: 1 }], more: [1, 'ü'] };
    const answer = await put(uri, JSON.stringify(body, null, 2), header('PUT', uri, body));
    expect([answer.status, answer.body]).to.deep.equal([
      200,
      { caller: { serverName: PEER }, params: { txnId: 'txn/1' }, body },
    ]);
    expect(app.accesses().at(-1)).to.include({ server: PEER, user: null, status: 200 });
  });

  it('are signed with their query, as it was written', async () => {
    const uri = '/_test/look/%24a?limit=5&x=%20a+b';
    const answer = await get(uri, header('GET', uri));
    expect([answer.status, answer.body]).to.deep.equal([
      200,
      { caller: { serverName: PEER }, params: { eventId: '$a' }, query: { limit: 5 } },
    ]);
    for (const signed of [uri.replace('%24', '$'), uri.replace('+', '%20'), uri.split('?')[0] ?? ''])
      expect((await get(uri, header('GET', signed))).status, signed).to.equal(401);
  });

  it('are refused with M_UNAUTHORIZED when the signature is not theirs, not for us, or not there', async () => {
    const uri = '/_test/look/a';
    const right = header('GET', uri);
    const stranger = makeServerKey(new Uint8Array(32).fill(9), 'one');
    for (const [wrong, error] of [
      ['Bearer abc', 'is not X-Matrix'],
      ['X-Matrix origin="a', 'is not X-Matrix'],
      [header('GET', uri, undefined, stranger), 'signature of the request is wrong'],
      [header('GET', uri, undefined, makeServerKey(new Uint8Array(32), 'three')), 'cannot be had'],
      [header('GET', uri, undefined, KEY, 'unknown.example'), 'cannot be had'],
      [header('GET', uri, undefined, KEY, US), 'does not call itself'],
      [header('GET', uri, undefined, KEY, PEER, 'example.com'), 'for another server'],
      [header('GET', uri, undefined, KEY, PEER, 'EXAMPLE.org'), 'for another server'],
      [header('PUT', uri), 'signature of the request is wrong'],
      [right.replace(PEER, PEER.toUpperCase()), 'cannot be had'],
    ] as const) {
      const answer = await get(uri, wrong);
      expect(answer.status, wrong).to.equal(401);
      expect(answer.body, wrong).to.include({ errcode: 'M_UNAUTHORIZED' });
      expect((answer.body as { error: string }).error).to.include(error);
    }
    const without = await app.client.get(uri);
    expect([without.status, (without.body as { errcode: string }).errcode]).to.deep.equal([
      401,
      'M_UNAUTHORIZED',
    ]);
    expect(heard, 'nobody was heard').to.deep.equal([]);
    expect((await get(uri, right)).status).to.equal(200);
  });

  it('may carry several signatures, of which one must be right', async () => {
    const uri = '/_test/look/a';
    const connection = await app.connect();
    const ask = (...headers: readonly string[]): void =>
      connection.write(
        `GET ${uri} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.map((one) => `Authorization: ${one}\r\n`).join('')}\r\n`,
      );
    const lost = makeServerKey(new Uint8Array(32), 'lost');
    ask(header('GET', uri, undefined, lost), 'Bearer x', header('GET', uri, undefined, OTHER_KEY));
    expect(await connection.closed())
      .to.include('HTTP/1.1 200')
      .and.include(PEER);
    const second = await app.connect();
    second.write(
      `GET ${uri} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${header('GET', uri)}\r\nAuthorization: ${header('GET', uri, undefined, KEY, 'b.example')}\r\n\r\n`,
    );
    expect(await second.closed())
      .to.include('HTTP/1.1 401')
      .and.include('name several servers');
  });

  it('have no body read before they say who they are', async () => {
    const uri = '/_test/send/1';
    const connection = await app.connect();
    connection.write(
      `PUT ${uri} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n`,
    );
    const text = await connection.received((received) => received.includes('}'));
    expect(text).to.match(/^HTTP\/1\.1 401 /);
    const large = { pdus: [{ a: 'x'.repeat(BODY_BYTES_MAX) }] };
    const answer = await put(uri, JSON.stringify(large), header('PUT', uri, large));
    expect(answer.status).to.equal(413);
  });

  it('are taken whatever one of their events looks like, and refused when a body was added, changed or taken away', async () => {
    const uri = '/_test/send/1';
    const good = { a: 1 };
    const deep = '['.repeat(30) + ']'.repeat(30);
    const body = JSON.parse(`{"pdus":[{"a":1},{"b":${deep}}]}`) as Json;
    const right = await put(uri, JSON.stringify(body), header('PUT', uri, body));
    expect(right.status).to.equal(200);
    for (const other of [{ pdus: [] }, { pdus: [good], more: 1 }])
      expect((await put(uri, JSON.stringify(other), header('PUT', uri, body))).status).to.equal(401);
    expect((await put(uri, '', header('PUT', uri, body))).status).to.equal(401);
    expect((await put(uri, '{"pdus":[]}', header('PUT', uri))).status, 'signed without').to.equal(401);
    const lone = await put(
      uri,
      '{"pdus":[{"x":"\\ud800"},{"a":1}]}',
      header('PUT', uri, { pdus: [{ x: '\ud800' }, good] }),
    );
    expect(lone.body, 'a broken event is left out').to.deep.include({ body: { pdus: [good] } });
    expect(app.lines.some(({ dropped }) => dropped === 1)).to.equal(true);
    expect((await put(uri, '{"pdus":{}}', header('PUT', uri, { pdus: {} }))).status, 'the schema').to.equal(
      400,
    );
  });

  it('cost one question for a key an hour, and not one longer than the key is good', async () => {
    const uri = '/_test/look/a';
    const ok = async (): Promise<void> => {
      expect((await get(uri, header('GET', uri))).status).to.equal(200);
    };
    await ok();
    await ok();
    expect(asked).to.deep.equal([[{ serverName: PEER, keyId: KEY.keyId, validAtTs: clock.now() }]]);
    await clock.advance(KEY_REMEMBERED_MS + 1);
    await ok();
    expect(asked).to.have.lengthOf(2);
    await clock.advance(KEY_REMEMBERED_MS + 1);
    known = known.map((key) => ({ ...key, validUntilTs: clock.now() + 1_000 }));
    await ok();
    await clock.advance(1_001);
    expect((await get(uri, header('GET', uri))).status, 'the key is not good any more').to.equal(401);
  });

  it('tell the sender that their server is there, once a minute', async () => {
    const uri = '/_test/look/a';
    for (let count = 0; count < 3; count += 1) await get(uri, header('GET', uri));
    expect(heard).to.deep.equal([PEER]);
    await clock.advance(HEARD_NOTE_EVERY_MS);
    await get(uri, header('GET', uri));
    expect(heard).to.deep.equal([PEER, PEER]);
  });

  it('tell the sender at once when their server counts as out of reach', async () => {
    const uri = '/_test/look/a';
    await get(uri, header('GET', uri));
    outUntilTs = clock.now() + HEARD_NOTE_EVERY_MS;
    await get(uri, header('GET', uri));
    expect(heard).to.deep.equal([PEER, PEER]);
  });
});
