import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Type } from 'typebox';
import { defineEndpoint, fileReply } from '../../../../src/http/kit/endpoint.ts';
import { ANSWER_STALL_MS_MAX, parseRange } from '../../../../src/http/kit/file-answer.ts';
import { systemClock } from '../../../../src/kit/clock.ts';
import { isRefusal } from '../../../../src/matrix/refusal.ts';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts';
import { startTestApp, type TestApp } from './test-app.ts';
import { checkedFetch } from '../../../support/checked-fetch.ts';

const MEBIBYTE = 1_048_576;
const LARGE_BYTES = 60 * MEBIBYTE;
/** What the kernel, Node and one chunk hold between two sides of one machine; far less than what is sent. */
const BUFFERED_BYTES_MAX = 16 * MEBIBYTE;

describe('streaming over HTTP', () => {
  let app: TestApp;
  let clock: FakeClock;
  let folder: string;
  let file: string;
  let sizeBytes: number;
  /** The taker of the upload waits for this. */
  let gate: Promise<void>;
  let takenBytes: number;
  let failure: Error | null;

  const upload = defineEndpoint({
    method: 'POST',
    path: '/upload',
    spec: 'none',
    auth: 'none',
    rateLimit: null,
    reply: Type.Unknown(),
    needs: [],
    async handle({ incoming }) {
      const received = await incoming.receive(LARGE_BYTES, async (chunk) => {
        await gate;
        if (failure !== null) throw failure;
        takenBytes += chunk.byteLength;
      });
      return isRefusal(received) ? received : { kind: received.kind, type: incoming.contentType };
    },
  });
  const download = defineEndpoint({
    method: 'GET',
    path: '/file',
    spec: 'none',
    auth: 'none',
    rateLimit: null,
    reply: Type.Unknown(),
    needs: [],
    handle: () =>
      Promise.resolve(
        fileReply({
          path: file,
          sizeBytes,
          contentType: 'text/plain',
          etag: 'tag',
          headers: { 'X-Own': '1' },
        }),
      ),
  });
  const figure = (name: string): number => app.figures.get(`http.streamed-bytes-${name}`) ?? 0;
  const url = (path: string): string => `http://${app.server.address.host}:${app.server.address.port}${path}`;

  /** Resolves when a figure has stood still for a while: nothing moves any more. */
  async function standstill(name: string): Promise<number> {
    for (let last = -1, since = 0; ;) {
      const value = figure(name);
      const now = systemClock.monotonic();
      if (value !== last) [last, since] = [value, now];
      else if (value > 0 && now - since > 60) return value;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-streaming-'));
    file = join(folder, 'file');
    writeFileSync(file, '0123456789');
    sizeBytes = 10;
    takenBytes = 0;
    gate = Promise.resolve();
    failure = null;
    clock = createFakeClock();
    app = await startTestApp([upload, download], { clock });
  });
  afterEach(async () => {
    await app.close();
    rmSync(folder, { recursive: true });
  });

  it('takes an upload of 60 MB no faster than it is taken, and never holds it', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const answer = checkedFetch(url('/upload'), { method: 'POST', body: Buffer.alloc(LARGE_BYTES) });
    expect(await standstill('received')).to.be.at.most(MEBIBYTE);
    expect(takenBytes).to.equal(0);
    open();
    expect(await (await answer).json()).to.deep.include({ kind: 'received' });
    expect(takenBytes).to.equal(LARGE_BYTES);
  });

  it('reads a file of 60 MB no faster than the client takes it', async () => {
    truncateSync(file, LARGE_BYTES);
    sizeBytes = LARGE_BYTES;
    const raw = await app.connect();
    raw.socket.pause();
    raw.write('GET /file HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await standstill('sent')).to.be.at.most(BUFFERED_BYTES_MAX);
    raw.socket.removeAllListeners('data');
    const taken = new Promise<void>((resolve) => {
      let bytes = 0;
      raw.socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > LARGE_BYTES) resolve();
      });
    });
    raw.socket.resume();
    await app.figuresReach('http.endpoint.GET /file.requests', 1);
    expect(figure('sent')).to.equal(LARGE_BYTES);
    await taken;
  });

  it('cuts off a client that takes nothing of an answer', async () => {
    truncateSync(file, LARGE_BYTES);
    sizeBytes = LARGE_BYTES;
    const raw = await app.connect();
    raw.socket.pause();
    raw.write('GET /file HTTP/1.1\r\nHost: a\r\n\r\n');
    await standstill('sent');
    await clock.advance(ANSWER_STALL_MS_MAX);
    await app.figuresReach('http.endpoint.GET /file.requests', 1);
    expect(app.accesses()[0]).to.include({ status: 499 });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('closes the file when the client goes away', async () => {
    truncateSync(file, LARGE_BYTES);
    sizeBytes = LARGE_BYTES;
    const raw = await app.connect();
    raw.socket.pause();
    raw.write('GET /file HTTP/1.1\r\nHost: a\r\n\r\n');
    await standstill('sent');
    raw.socket.destroy();
    await app.figuresReach('http.endpoint.GET /file.requests', 1);
    expect(app.accesses()[0]).to.include({ status: 499 });
    expect(app.lines.filter(({ level }) => level === 'error')).to.deep.equal([]);
  });

  it('cuts an answer off when the file is shorter than it was said to be', async () => {
    sizeBytes = 20;
    const failed = await checkedFetch(url('/file'))
      .then((answer) => answer.text())
      .then(() => null, String);
    expect(failed).to.not.equal(null);
    await app.figuresReach('http.endpoint.GET /file.requests', 1);
    expect(app.lines.some(({ message }) => message === 'a file could not be sent')).to.equal(true);
  });

  it('keeps the connection after a file', async () => {
    const raw = await app.connect();
    const request = 'GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n';
    raw.write(request + request);
    const text = await raw.received(
      (so) => so.split('206 Partial Content').length === 3 && so.endsWith('\r\n\r\n0'),
    );
    expect(text).to.include('X-Own: 1').and.include('X-Request-Id');
  });

  it('refuses compressed bodies, and answers 500 when the taker fails', async () => {
    const post = (headers: Record<string, string>) =>
      checkedFetch(url('/upload'), { method: 'POST', body: 'xyz', headers });
    expect((await post({ 'Content-Encoding': 'gzip' })).status).to.equal(415);
    failure = new Error('no');
    expect((await post({})).status).to.equal(500);
    failure = null;
    expect(await (await post({ 'Content-Type': 'a/b' })).json()).to.deep.equal({
      kind: 'received',
      type: 'a/b',
    });
  });

  it('says 100 Continue to who waits for it', async () => {
    const raw = await app.connect();
    raw.write('POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
    await raw.received((text) => text.includes('100 Continue'));
    raw.write('abc');
    expect(await raw.received((text) => text.includes('"kind":"received"'))).to.include('200 OK');
  });

  for (const [header, size, expected] of [
    ['bytes=0-0', 10, { start: 0, end: 0 }],
    ['bytes=3-', 10, { start: 3, end: 9 }],
    ['bytes=-99', 10, { start: 0, end: 9 }],
    ['bytes=9-100', 10, { start: 9, end: 9 }],
    ['bytes=5-2', 10, 'none'],
    ['bytes=-', 10, 'none'],
    ['lines=1-2', 10, 'none'],
    ['bytes=1-2, 4-5', 10, 'none'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=99999999999999999999-', 10, 'unsatisfiable'],
  ] as const)
    it(`reads the range ${header} of ${size} bytes`, () => {
      expect(parseRange(header, size)).to.deep.equal(expected);
    });
});
