import { expect } from 'chai';
import { Type } from 'typebox';
import { STATUS_CLIENT_GONE } from '../../../../src/http/kit/app.ts';
import {
  BODY_BYTES_MAX,
  BODY_DEADLINE_MS,
  BODY_DRAIN_BYTES_MAX,
} from '../../../../src/http/kit/body-reader.ts';
import { type Endpoint, defineEndpoint } from '../../../../src/http/kit/endpoint.ts';
import { DRAIN_DEADLINE_MS, HEADERS_BYTES_MAX } from '../../../../src/http/kit/http-server.ts';
import { type FakeClock, createFakeClock } from '../../../support/fake-clock.ts';
import { type TestApp, startTestApp } from './test-app.ts';

const open = { spec: 'test', auth: 'none', rateLimit: null, reply: Type.Unknown(), needs: [] } as const;

const BOUND = 1000;

const small = defineEndpoint({
  ...open,
  method: 'POST',
  path: '/_matrix/small',
  bodyBytesMax: BOUND,
  body: Type.Object({}),
  handle: ({ body }) => Promise.resolve(body),
});

/** An endpoint whose handler waits until the test, or `aborted`, ends it. */
function parkingEndpoint() {
  const entered = Promise.withResolvers<AbortSignal>();
  const release = Promise.withResolvers<string>();
  const endpoint: Endpoint = defineEndpoint({
    ...open,
    method: 'GET',
    path: '/_matrix/park',
    async handle({ aborted }) {
      const cancelled = Promise.withResolvers<string>();
      aborted.addEventListener('abort', () => cancelled.resolve('aborted'));
      entered.resolve(aborted);
      return { outcome: await Promise.race([release.promise, cancelled.promise]) };
    },
  });
  return { endpoint, entered: entered.promise, release: release.resolve };
}

describe('http app and its connections', () => {
  let test: TestApp;
  let clock: FakeClock;

  const serve = async (...endpoints: readonly Endpoint[]): Promise<void> => {
    test = await startTestApp(endpoints, { clock });
  };
  beforeEach(() => {
    clock = createFakeClock();
  });
  afterEach(() => test.close());

  it('refuses a body that is declared too large before any of it has come', async () => {
    await serve(small);
    const raw = await test.connect();
    raw.write(
      `POST /_matrix/small HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY_DRAIN_BYTES_MAX + 1}\r\n\r\n`,
    );
    const text = await raw.closed();
    expect(text)
      .to.match(/^HTTP\/1\.1 413 /)
      .and.to.contain('"errcode":"M_TOO_LARGE"');
    expect(text).to.contain('Access-Control-Allow-Origin: *');
  });

  it('counts a body of unknown length and refuses it as soon as it is too large', async () => {
    await serve(small);
    const raw = await test.connect();
    const chunk = `${(BOUND + 1).toString(16)}\r\n${' '.repeat(BOUND + 1)}\r\n`;
    raw.write(`POST /_matrix/small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`);
    expect(await raw.closed()).to.match(/^HTTP\/1\.1 413 /);
  });

  it('keeps the connection after a refusal when the rest of the body is short', async () => {
    await serve(small);
    const raw = await test.connect();
    raw.write(`POST /_matrix/small HTTP/1.1\r\nHost: x\r\nContent-Length: ${BOUND + 1}\r\n\r\n`);
    await raw.received((text) => text.includes('M_TOO_LARGE'));
    raw.write(
      `${' '.repeat(BOUND + 1)}POST /_matrix/small HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(await raw.received((text) => text.endsWith('{}'))).to.match(/413[^]*200 OK/);
  });

  it('takes bodies up to the bound exactly, and up to the usual bound where the endpoint has none', async () => {
    const usual = { ...small, path: '/_matrix/usual' };
    const { bodyBytesMax: _, ...withoutBound } = usual;
    await serve(small, withoutBound);
    const padded = (size: number): string => `{${' '.repeat(size - 2)}}`;
    const post = async (path: string, size: number): Promise<number> =>
      (await test.client.request('POST', path, { rawBody: padded(size) })).status;
    expect(await post('/_matrix/small', BOUND)).to.equal(200);
    expect(await post('/_matrix/small', BOUND + 1)).to.equal(413);
    expect(await post('/_matrix/usual', BODY_BYTES_MAX)).to.equal(200);
    expect(await post('/_matrix/usual', BODY_BYTES_MAX + 1)).to.equal(413);
  });

  it('asks for a body that waits for 100 Continue only when it wants it', async () => {
    await serve(small);
    const expecting = (size: number): string =>
      `POST /_matrix/small HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${size}\r\n\r\n`;
    const wanted = await test.connect();
    wanted.write(expecting(2));
    await wanted.received((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    wanted.write('{}');
    await wanted.received((text) => text.includes('200 OK'));
    const unwanted = await test.connect();
    unwanted.write(expecting(BOUND + 1));
    expect(await unwanted.closed()).to.match(/^HTTP\/1\.1 413 /);
  });

  it('answers 408 to a sender who does not finish within the deadline, and closes', async () => {
    await serve(small);
    const raw = await test.connect();
    raw.write('POST /_matrix/small HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{');
    while (clock.pendingTimers === 0) await clock.settle();
    await clock.advance(BODY_DEADLINE_MS - 1);
    expect(raw.socket.closed).to.equal(false);
    await clock.advance(1);
    const text = await raw.closed();
    expect(text).to.contain('HTTP/1.1 408 ').and.to.contain('"errcode":"M_UNKNOWN"');
    expect(test.accesses()[0]).to.include({ status: 408 });
  });

  it('leaves no timer behind a body that came in time', async () => {
    await serve(small);
    await test.client.post('/_matrix/small', {});
    expect(clock.pendingTimers).to.equal(0);
  });

  it('forgets a request whose client goes away within its body', async () => {
    await serve(small);
    const raw = await test.connect();
    raw.write(
      'POST /_matrix/small HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n{',
    );
    await raw.received((text) => text.includes('100 Continue'));
    raw.socket.destroy();
    await test.figuresReach('http.endpoint.POST /_matrix/small.requests', 1);
    expect(test.accesses()[0]).to.include({ status: STATUS_CLIENT_GONE });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('aborts the handler of a client that has gone away', async () => {
    const parking = parkingEndpoint();
    await serve(parking.endpoint);
    const raw = await test.connect();
    raw.write('GET /_matrix/park HTTP/1.1\r\nHost: x\r\n\r\n');
    const aborted = await parking.entered;
    expect(aborted.aborted).to.equal(false);
    raw.socket.destroy();
    await test.figuresReach('http.endpoint.GET /_matrix/park.requests', 1);
    expect(aborted.aborted).to.equal(true);
    expect(test.accesses()[0]).to.include({ status: STATUS_CLIENT_GONE });
  });

  it('does not abort a handler that has answered', async () => {
    const parking = parkingEndpoint();
    await serve(parking.endpoint);
    const answer = test.client.get('/_matrix/park');
    const aborted = await parking.entered;
    parking.release('released');
    expect((await answer).body).to.deep.equal({ outcome: 'released' });
    test.client.close();
    await test.server.stop();
    expect(aborted.aborted).to.equal(false);
  });

  it('answers what is no HTTP, and a head that is too large, as {errcode, error}', async () => {
    await serve();
    const broken = await test.connect();
    broken.write('BROKEN\r\n\r\n');
    expect(await broken.closed()).to.match(/^HTTP\/1\.1 400 [^]*"errcode":"M_UNKNOWN"/);
    const large = await test.connect();
    large.write(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(HEADERS_BYTES_MAX)}\r\n\r\n`);
    expect(await large.closed()).to.match(/^HTTP\/1\.1 431 [^]*Access-Control-Allow-Origin: \*/);
  });

  describe('stopping', () => {
    it('lets a parked long poll answer, closes idle connections, and accepts no new ones', async () => {
      const parking = parkingEndpoint();
      await serve(parking.endpoint);
      const idle = await test.connect();
      idle.write('GET /_matrix/other HTTP/1.1\r\nHost: x\r\n\r\n');
      await idle.received((text) => text.includes('M_UNRECOGNIZED'));
      const parked = test.client.get('/_matrix/park');
      await parking.entered;
      await test.server.stop();
      const answer = await parked;
      expect(answer.body).to.deep.equal({ outcome: 'aborted' });
      expect(answer.headers.connection).to.equal('close');
      await idle.closed();
      const refused = await test.connect().catch((error: unknown) => error);
      expect(refused).to.include({ code: 'ECONNREFUSED' });
      expect(clock.pendingTimers).to.equal(0);
    });

    it('cuts off what has not ended at the deadline', async () => {
      const entered = Promise.withResolvers<void>();
      const stuck = defineEndpoint({
        ...open,
        method: 'GET',
        path: '/_matrix/stuck',
        handle() {
          entered.resolve();
          return new Promise(() => undefined);
        },
      });
      await serve(stuck);
      const raw = await test.connect();
      raw.write('GET /_matrix/stuck HTTP/1.1\r\nHost: x\r\n\r\n');
      await entered.promise;
      const stopped = test.server.stop();
      await clock.advance(DRAIN_DEADLINE_MS - 1);
      expect(raw.socket.closed).to.equal(false);
      await clock.advance(1);
      await stopped;
      expect(await raw.closed()).to.equal('');
    });

    it('gives handlers that begin later a signal that is aborted already', async () => {
      const parking = parkingEndpoint();
      await serve(parking.endpoint);
      test.app.beginStop();
      const answered = test.client.get('/_matrix/park');
      expect((await parking.entered).aborted).to.equal(true);
      parking.release('released');
      expect((await answered).body).to.deep.equal({ outcome: 'released' });
    });
  });
});
