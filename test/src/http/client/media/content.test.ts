import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { findMedia, readUsageOf } from '../../../../../db/media/reader.ts';
import { RESERVATION_MS, RESERVED_PER_USER_MAX } from '../../../../../actors/media/actor.ts';
import { blobPath } from '../../../../../src/media/blob-store.ts';
import { outcomeOf, textOf } from '../account-app.ts';
import { mediaIdOf, type MediaWorld, startMediaWorld, until } from './media-world.ts';

const V1 = '/_matrix/client/v1/media';
const V3 = '/_matrix/media/v3';
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const MISSING = 'A'.repeat(24);

describe('media endpoints', () => {
  let world: MediaWorld;
  const download = (mediaId: string, init?: RequestInit) =>
    world.fetch(`${V1}/download/example.org/${mediaId}`, init);

  before(async () => {
    world = await startMediaWorld({ TROUPE_MEDIA_ALLOW_LEGACY: 'true' });
  });
  after(() => world.close());

  describe('uploading', () => {
    it('gives back what was uploaded, with its type and name', async () => {
      const mediaId = await world.upload(PNG, 'image/png', 'cat.png');
      const answer = await download(mediaId);
      expect(answer.status).to.equal(200);
      expect(answer.bytes.equals(PNG)).to.equal(true);
      expect(answer.headers.get('content-type')).to.equal('image/png');
      expect(answer.headers.get('content-disposition')).to.equal('inline; filename="cat.png"');
    });

    it('stores the same content once, and counts it for everybody', async () => {
      const first = await world.upload('the same for both', 'text/plain');
      const second = await world.upload('the same for both', 'text/csv', 'b.csv');
      expect(first).to.not.equal(second);
      const rows = await Promise.all(
        [first, second].map((mediaId) => findMedia(world.database.db, 'example.org', mediaId)),
      );
      expect(rows[0]?.sha256).to.equal(rows[1]?.sha256);
      expect((await download(second)).headers.get('content-disposition')).to.include('b.csv');
      const before = await readUsageOf(world.database.db, '@ann:example.org');
      await world.upload('the same for both', 'text/plain');
      const after = await readUsageOf(world.database.db, '@ann:example.org');
      expect([after.files - before.files, after.bytes - before.bytes]).to.deep.equal([1, 17]);
    });

    it('leaves nothing temporary', () => {
      expect(readdirSync(join(world.folder, 'temporary'))).to.deep.equal([]);
    });

    it('takes 60 MB and gives them back', async () => {
      const large = Buffer.alloc(60 * 1_048_576, 'troupe');
      const answer = await download(await world.upload(large, 'application/zip', 'large.zip'));
      expect(answer.headers.get('content-length')).to.equal(String(large.length));
      expect(answer.bytes.equals(large)).to.equal(true);
    });

    it('takes an empty file', async () => {
      const answer = await download(await world.upload('', 'text/plain'));
      expect([answer.status, answer.bytes.length]).to.deep.equal([200, 0]);
    });

    it('asks for a token', async () => {
      const answer = await world.app.client.post(`${V3}/upload`, {});
      expect(outcomeOf(answer)).to.equal('401 M_MISSING_TOKEN');
    });

    it('refuses names that are too long', async () => {
      const answer = await world.ann.request('POST', `${V3}/upload`, {
        rawBody: 'x',
        query: { filename: 'n'.repeat(1_025) },
      });
      expect(outcomeOf(answer)).to.equal('400 M_INVALID_PARAM');
    });

    it('is there under its older paths', async () => {
      for (const version of ['r0', 'v1']) {
        const answer = await world.ann.request('POST', `/_matrix/media/${version}/upload`, { rawBody: 'x' });
        expect(textOf(answer, 'content_uri')).to.match(/^mxc:\/\/example\.org\/[A-Za-z0-9]{24}$/);
      }
    });
  });

  describe('limits', () => {
    let small: MediaWorld;
    before(async () => {
      small = await startMediaWorld({ TROUPE_MEDIA_MAX_UPLOAD_SIZE: '1000' });
    });
    after(() => small.close());

    it('says how large an upload may be', async () => {
      for (const path of [`${V1}/config`, `${V3}/config`, '/_matrix/media/r0/config'])
        expect((await small.ann.get(path)).body).to.deep.equal({ 'm.upload.size': 1000 });
      expect(outcomeOf(await small.app.client.get(`${V1}/config`))).to.equal('401 M_MISSING_TOKEN');
    });

    it('refuses by the declared length and by counting', async () => {
      const upload = { rawBody: Buffer.alloc(1001) };
      expect(outcomeOf(await small.ann.request('POST', `${V3}/upload`, upload))).to.equal('413 M_TOO_LARGE');
      const raw = await small.app.connect();
      raw.write(
        `POST ${V3}/upload HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ann\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      raw.write(`3e9\r\n${'x'.repeat(1001)}\r\n`);
      expect(await raw.closed())
        .to.include('413')
        .and.include('M_TOO_LARGE');
      expect(readdirSync(join(small.folder, 'temporary'))).to.deep.equal([]);
      expect(
        (await small.ann.request('POST', `${V3}/upload`, { rawBody: Buffer.alloc(1000) })).status,
      ).to.equal(200);
    });

    it('leaves nothing behind when the client goes away in the middle', async () => {
      const raw = await small.app.connect();
      raw.write(
        `POST ${V3}/upload HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ann\r\nContent-Length: 900\r\n\r\nhalf`,
      );
      const files = (): string[] => readdirSync(join(small.folder, 'temporary'));
      await until('the file', () => files().length === 1);
      raw.socket.destroy();
      await until('the file to go', () => files().length === 0);
      expect((await readUsageOf(small.database.db, '@ann:example.org')).bytes).to.equal(1000);
    });

    it('cuts off who is silent in the middle', async () => {
      const raw = await small.app.connect();
      raw.write(
        `POST ${V3}/upload HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ann\r\nContent-Length: 900\r\n\r\nhalf`,
      );
      await until('the file', () => readdirSync(join(small.folder, 'temporary')).length === 1);
      const closed = raw.closed();
      let isOver = false;
      void closed.then(() => (isOver = true));
      // The silence begins when the first half is in the file, which is later than the file itself.
      await until('the end', async () => {
        await small.clock.advance(30_001);
        return isOver;
      });
      expect(await closed).to.include('408');
      expect(readdirSync(join(small.folder, 'temporary'))).to.deep.equal([]);
    });

    it('serves nothing without a token when the old endpoints are off, which they are', async () => {
      const mediaId = await small.upload('x', 'text/plain');
      for (const path of [`download/example.org/${mediaId}`, `download/example.org/${mediaId}/a`]) {
        expect(outcomeOf(await small.ann.get(`${V3}/${path}`))).to.equal('404 M_NOT_FOUND');
        expect((await small.ann.get(`${V1}/${path}`)).status).to.equal(200);
      }
      const thumbnail = `${V3}/thumbnail/example.org/${mediaId}?width=1&height=1`;
      expect(outcomeOf(await small.ann.get(thumbnail))).to.equal('404 M_NOT_FOUND');
    });
  });

  describe('downloading', () => {
    let mediaId: string;
    before(async () => {
      mediaId = await world.upload('0123456789', 'text/plain', 'digits.txt');
    });

    it('keeps browsers safe', async () => {
      const { headers } = await download(mediaId);
      expect(headers.get('content-security-policy')).to.match(
        /^sandbox; default-src 'none'; script-src 'none';/,
      );
      expect(headers.get('cross-origin-resource-policy')).to.equal('cross-origin');
      expect(headers.get('x-content-type-options')).to.equal('nosniff');
      expect(headers.get('access-control-allow-origin')).to.equal('*');
      expect(headers.get('content-type')).to.equal('text/plain; charset=utf-8');
      expect(headers.get('cache-control')).to.equal('private, max-age=86400, immutable');
    });

    it('shows nothing in the window that could run', async () => {
      for (const type of [
        'text/html',
        'image/svg+xml',
        'application/pdf',
        'application/xhtml+xml',
        'TEXT/HTML',
        '',
      ]) {
        const { headers } = await download(
          await world.upload(Buffer.from('<script>alert(1)</script>'), type, 'a"b.html'),
        );
        expect(headers.get('content-disposition'), type).to.equal(
          String.raw`attachment; filename="a\"b.html"`,
        );
      }
    });

    it('does not call encrypted content a picture', async () => {
      const { headers } = await download(await world.upload('encrypted', 'image/png'));
      expect(headers.get('content-type')).to.equal('application/octet-stream');
      expect(headers.get('content-disposition')).to.equal('attachment');
    });

    it('takes another file name from the path', async () => {
      const answer = await world.fetch(
        `${V1}/download/example.org/${mediaId}/${encodeURIComponent('Ωmega 1.txt')}`,
      );
      expect(answer.headers.get('content-disposition')).to.equal(
        `inline; filename="_mega 1.txt"; filename*=utf-8''%CE%A9mega%201.txt`,
      );
    });

    it('gives ranges', async () => {
      const range = async (value: string) => {
        const { status, bytes, headers } = await download(mediaId, { headers: { Range: value } });
        return `${status} ${status === 416 ? '' : bytes.toString()} ${headers.get('content-range')}`;
      };
      expect(await range('bytes=2-4')).to.equal('206 234 bytes 2-4/10');
      expect(await range('bytes=8-99')).to.equal('206 89 bytes 8-9/10');
      expect(await range('bytes=-3')).to.equal('206 789 bytes 7-9/10');
      expect(await range('bytes=0-1,4-5')).to.equal('200 0123456789 null');
      expect(await range('bytes=10-')).to.equal('416  bytes */10');
    });

    it('answers HEAD and If-None-Match without the content', async () => {
      const head = await download(mediaId, { method: 'HEAD' });
      expect([head.status, head.headers.get('content-length'), head.bytes.length]).to.deep.equal([
        200,
        '10',
        0,
      ]);
      const etag = head.headers.get('etag') ?? '';
      expect(etag).to.match(/^"[0-9a-f]{64}"$/);
      const known = await download(mediaId, { headers: { 'If-None-Match': `"other", W/${etag}` } });
      expect([known.status, known.bytes.length, known.headers.get('etag')]).to.deep.equal([304, 0, etag]);
      const stale = await download(mediaId, { headers: { Range: 'bytes=1-2', 'If-Range': '"other"' } });
      expect([stale.status, stale.bytes.toString()]).to.deep.equal([200, '0123456789']);
    });

    it('serves the old paths to anybody where they are allowed', async () => {
      for (const version of ['v3', 'r0', 'v1']) {
        const path = `/_matrix/media/${version}/download/example.org/${mediaId}?allow_remote=false&allow_redirect=true`;
        const answer = await world.app.client.get(path);
        expect([answer.status, answer.text]).to.deep.equal([200, '0123456789']);
        expect(answer.headers['cache-control']).to.match(/^public/);
      }
      expect(outcomeOf(await world.app.client.get(`${V1}/download/example.org/${mediaId}`))).to.equal(
        '401 M_MISSING_TOKEN',
      );
    });

    it('knows no media that is not there, and none of servers that do not answer', async () => {
      expect(outcomeOf(await world.ann.get(`${V1}/download/example.org/${MISSING}`))).to.equal(
        '404 M_NOT_FOUND',
      );
      const remote = await world.ann.get(`${V1}/download/elsewhere.org/${mediaId}`);
      expect(outcomeOf(remote)).to.equal('502 M_UNKNOWN');
      const path = `${V1}/download/elsewhere.org/${mediaId}`;
      const onlyHere = await world.ann.get(path, { query: { allow_remote: false } });
      expect(outcomeOf(onlyHere)).to.equal('404 M_NOT_FOUND');
    });

    it('withholds what an administrator has taken out of circulation, under every name', async () => {
      const bad = await world.upload('bad content', 'text/plain');
      const input = { origin: 'example.org', mediaId: bad, by: '@admin:example.org' };
      const media = world.host.ref('media');
      expect(await media.ask('media.set-quarantine', input)).to.deep.equal({ kind: 'set' });
      const again = await world.upload('bad content', 'text/plain');
      for (const id of [bad, again]) expect((await download(id)).status).to.equal(404);
      await media.ask('media.set-quarantine', { ...input, by: null });
      expect((await download(bad)).status).to.equal(200);
      expect(await media.ask('media.set-quarantine', { ...input, mediaId: MISSING })).to.include({
        errcode: 'M_NOT_FOUND',
      });
    });

    it('notes the use, once an hour', async () => {
      const row = () => findMedia(world.database.db, 'example.org', mediaId);
      const before = (await row())?.lastUsedTs ?? 0;
      await download(mediaId);
      await world.host.idle();
      expect((await row())?.lastUsedTs).to.equal(before);
      await world.clock.advance(3_600_001);
      await download(mediaId);
      await until('the note', async () => ((await row())?.lastUsedTs ?? 0) > before);
    });

    it('answers 500 when the file is gone, and goes on', async () => {
      const lost = await world.upload('lost content', 'text/plain');
      const row = await findMedia(world.database.db, 'example.org', lost);
      rmSync(blobPath(world.folder, row?.sha256 ?? ''));
      expect((await download(lost)).status).to.equal(500);
      expect((await download(mediaId)).status).to.equal(200);
    });
  });

  describe('uploading later', () => {
    const create = async (client = world.ann) => {
      const answer = await client.post('/_matrix/media/v1/create', {});
      return { answer, mediaId: mediaIdOf((answer.body as { content_uri?: string }).content_uri) };
    };
    const put = (mediaId: string, client = world.ann) =>
      client.request('PUT', `${V3}/upload/example.org/${mediaId}`, {
        rawBody: 'it came',
        headers: { 'Content-Type': 'text/plain' },
        query: { filename: 'late.txt' },
      });

    it('reserves a name for a day, and takes its content once', async () => {
      const { answer, mediaId } = await create();
      expect(answer.body).to.deep.equal({
        content_uri: `mxc://example.org/${mediaId}`,
        unused_expires_at: world.clock.now() + RESERVATION_MS,
      });
      expect(outcomeOf(await put(mediaId, world.bob))).to.equal('403 M_FORBIDDEN');
      expect((await put(mediaId)).body).to.deep.equal({});
      expect(outcomeOf(await put(mediaId))).to.equal('409 M_CANNOT_OVERWRITE_MEDIA');
      expect((await download(mediaId)).bytes.toString()).to.equal('it came');
      expect(outcomeOf(await put(MISSING))).to.equal('404 M_NOT_FOUND');
      expect(
        outcomeOf(await world.ann.request('PUT', `${V3}/upload/elsewhere.org/${mediaId}`, { rawBody: 'x' })),
      ).to.equal('404 M_NOT_FOUND');
    });

    it('lets only one of two uploads win', async () => {
      const { mediaId } = await create();
      const outcomes = await Promise.all([put(mediaId), put(mediaId), put(mediaId)]);
      expect(outcomes.map(outcomeOf).toSorted()).to.deep.equal([
        '200',
        '409 M_CANNOT_OVERWRITE_MEDIA',
        '409 M_CANNOT_OVERWRITE_MEDIA',
      ]);
    });

    it('lets a download wait until the content comes', async () => {
      const { mediaId } = await create();
      const waiting = download(mediaId);
      await until('the wait', () => world.clock.pendingTimers > 0);
      await put(mediaId);
      expect((await waiting).bytes.toString()).to.equal('it came');
    });

    it('lets it wait no longer than it wants', async () => {
      const { mediaId } = await create();
      const now = await world.ann.get(`${V1}/download/example.org/${mediaId}?timeout_ms=0`);
      expect(outcomeOf(now)).to.equal('504 M_NOT_YET_UPLOADED');
      const before = world.clock.pendingTimers;
      const waiting = world.ann.get(`${V1}/download/example.org/${mediaId}?timeout_ms=5000`);
      await until('the wait', () => world.clock.pendingTimers > before);
      await world.clock.advance(5_000);
      expect(outcomeOf(await waiting)).to.equal('504 M_NOT_YET_UPLOADED');
    });

    it('stops waiting for who has gone away', async () => {
      const { mediaId } = await create();
      const before = world.clock.pendingTimers;
      const gone = new AbortController();
      const waiting = world.ann
        .get(`${V1}/download/example.org/${mediaId}`, { signal: gone.signal })
        .catch(() => null);
      await until('the wait', () => world.clock.pendingTimers > before);
      gone.abort();
      await waiting;
      await until('the end of the wait', () => world.clock.pendingTimers <= before);
    });

    it('limits names without content, until they expire', async () => {
      for (let number = 0; number < RESERVED_PER_USER_MAX; number += 1) {
        const { answer } = await create(world.bob);
        expect(answer.status).to.equal(200);
      }
      const { answer } = await create(world.bob);
      expect(outcomeOf(answer)).to.equal('429 M_LIMIT_EXCEEDED');
      expect(answer.headers['retry-after']).to.equal(String(RESERVATION_MS / 1000));
      const { mediaId } = await create(world.ann);
      await world.clock.advance(RESERVATION_MS);
      expect(outcomeOf(await put(mediaId))).to.equal('404 M_NOT_FOUND');
      expect((await download(mediaId)).status).to.equal(404);
      expect((await create(world.bob)).answer.status).to.equal(200);
    });
  });
});
