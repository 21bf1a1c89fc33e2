import { createServer, type Server } from 'node:https';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { REMOVAL_DELAY_MS } from '../../../../../actors/media/remote-copies.ts';
import { findMedia } from '../../../../../db/media/reader.ts';
import { createRedirectGround } from '../../../../../src/federation/media/redirect-ground.ts';
import { fetchRedirected } from '../../../../../src/federation/media/redirected-content.ts';
import { NO_LIFETIME_MS } from '../../../../../src/federation/media/remote-media.ts';
import type {
  FederationClient,
  FederationRequest,
  FederationStream,
} from '../../../../../src/federation/federation-client.ts';
import { blobPath } from '../../../../../src/media/blob-store.ts';
import { loopbackCertificate, testAuthority } from '../../../../support/test-certificates.ts';
import { type MediaWorld, startMediaWorld, until } from './media-world.ts';

const V1 = '/_matrix/client/v1/media';
const REMOTE = 'remote.example';
const UNKNOWN = { kind: 'refused', status: 404, errcode: 'M_UNRECOGNIZED', error: '', body: {} } as const;

type Answer = Awaited<ReturnType<FederationClient['stream']>>;

function streamOf(text: string, headers: Record<string, string>, status = 200): FederationStream {
  return { kind: 'streaming', status, headers, body: Readable.from([Buffer.from(text)]) };
}

/** What a server of today answers. @param second the head and the content of the second part */
function parts(second: string): FederationStream {
  const body = `--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\n${second}\r\n--x--\r\n`;
  return streamOf(body, { 'content-type': 'multipart/mixed; boundary=x' });
}

const plain = (content: string): FederationStream => parts(`Content-Type: text/plain\r\n\r\n${content}`);

describe('media of other servers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-remote-media-'));
  const caFile = testAuthority().writeTo(folder).ca;
  let world: MediaWorld;
  let asked: FederationRequest[];
  let answerTo: (request: FederationRequest) => Answer;

  beforeEach(async () => {
    asked = [];
    answerTo = () => plain('hello');
    const client: FederationClient = {
      request: () => Promise.resolve(UNKNOWN),
      stream(request) {
        asked.push(request);
        return Promise.resolve(answerTo(request));
      },
    };
    const options = {
      TROUPE_MEDIA_MAX_REMOTE_SIZE: '5000',
      TROUPE_MEDIA_REMOTE_CACHE_SIZE: '6000',
      TROUPE_FEDERATION_CA_FILE: caFile,
    };
    world = await startMediaWorld(options, client);
  });
  afterEach(() => world.close());
  after(() => rmSync(folder, { recursive: true, force: true }));

  const get = (mediaId: string) => world.fetch(`${V1}/download/${REMOTE}/${mediaId}`);
  const outcome = async (mediaId: string): Promise<string> => {
    const { status, bytes } = await get(mediaId);
    return status === 200
      ? bytes.toString()
      : `${status} ${(JSON.parse(bytes.toString()) as { errcode: string }).errcode}`;
  };

  it('is fetched with the first request and kept', async () => {
    expect(await outcome('one')).to.equal('hello');
    expect(await outcome('one')).to.equal('hello');
    expect(asked.map(({ path }) => path)).to.deep.equal(['/_matrix/federation/v1/media/download/one']);
  });

  it('comes from servers that know no authentication', async () => {
    answerTo = ({ path }) =>
      path.startsWith('/_matrix/federation')
        ? UNKNOWN
        : streamOf('old', {
            'content-type': 'text/plain',
            'content-disposition': 'inline; filename="a b.txt"',
          });
    const { bytes, headers } = await get('one');
    expect(bytes.toString()).to.equal('old');
    expect(headers.get('content-disposition')).to.equal('inline; filename="a b.txt"');
    expect(asked[1]).to.deep.include({ isSigned: false, path: `/_matrix/media/v3/download/${REMOTE}/one` });
  });

  it('is refused when it is not there, too large, or broken, and not asked for again at once', async () => {
    answerTo = () => ({ ...UNKNOWN, errcode: 'M_NOT_FOUND' });
    expect(await outcome('missing')).to.equal('404 M_NOT_FOUND');
    expect(await outcome('missing')).to.equal('404 M_NOT_FOUND');
    expect(asked).to.have.length(1);
    await world.clock.advance(NO_LIFETIME_MS);
    answerTo = () => plain('x'.repeat(5_001));
    expect(await outcome('missing')).to.equal('413 M_TOO_LARGE');
    answerTo = () =>
      streamOf('--x\r\n\r\n{}\r\n--x\r\n\r\nhalf', { 'content-type': 'multipart/mixed; boundary=x' });
    expect(await outcome('broken')).to.equal('502 M_UNKNOWN');
    answerTo = () => streamOf('no parts', { 'content-type': 'text/plain' });
    expect(await outcome('plain')).to.equal('502 M_UNKNOWN');
    answerTo = () => ({ kind: 'unreachable', reason: 'of the test', retryTs: null });
    expect(await outcome('down')).to.equal('502 M_UNKNOWN');
    answerTo = () => ({ ...UNKNOWN, status: 504, errcode: 'M_NOT_YET_UPLOADED' });
    expect(await outcome('later')).to.equal('504 M_NOT_YET_UPLOADED');
    answerTo = () => plain('now');
    expect(await outcome('later')).to.equal('now');
  });

  it('does not follow redirects to what is not HTTPS, or leads nowhere', async () => {
    for (const location of [
      'http://127.0.0.1:1/x',
      'file:///etc/passwd',
      'nonsense',
      'https://127.0.0.1:1/x',
    ]) {
      answerTo = () => parts(`Location: ${location}\r\n\r\n`);
      expect(await outcome(`at-${location.length}`), location).to.equal('502 M_UNKNOWN');
    }
  });

  it('makes room for other media, with what was asked for longest ago', async () => {
    answerTo = ({ path }) => plain((path.split('/').at(-1) ?? '').repeat(1_000));
    expect(await outcome('abc')).to.have.length(3_000);
    const { db } = world.database;
    const first = (await findMedia(db, REMOTE, 'abc'))?.sha256 ?? '';
    await world.clock.advance(1_000);
    expect(await outcome('def')).to.have.length(3_000);
    await world.clock.advance(1_000);
    expect(await outcome('ghi')).to.have.length(3_000);
    await until('room', async () => (await findMedia(db, REMOTE, 'abc')) === undefined);
    expect(await findMedia(db, REMOTE, 'def')).to.not.equal(undefined);
    expect(existsSync(blobPath(world.folder, first))).to.equal(true);
    await world.clock.advance(REMOVAL_DELAY_MS);
    await until('removal', () => !existsSync(blobPath(world.folder, first)));
    expect(await outcome('abc')).to.have.length(3_000);
  });

  it('stays out of circulation when an administrator says so, also when others need room', async () => {
    answerTo = ({ path }) => plain((path.split('/').at(-1) ?? '').repeat(1_000));
    await get('abc');
    const bad = { origin: REMOTE, mediaId: 'abc', by: '@admin:example.org' };
    await world.host.ref('media').ask('media.set-quarantine', bad);
    for (const mediaId of ['def', 'ghi']) await get(mediaId);
    await world.host.idle();
    expect(await outcome('abc')).to.equal('404 M_NOT_FOUND');
    expect(asked).to.have.length(3);
  });

  describe('somewhere else', () => {
    let elsewhere: Server;
    before((done) => {
      const { certificate, key } = loopbackCertificate();
      elsewhere = createServer({ cert: certificate, key }, (request, response) => {
        if (request.url === '/here') response.writeHead(302, { location: '/there' }).end();
        else if (request.url === '/missing') response.writeHead(404).end();
        else response.writeHead(200, { 'content-type': 'text/plain' }).end(`at ${request.url}`);
      }).listen(0, '127.0.0.1', done);
    });
    after((done) => void elsewhere.close(done));

    const urlOf = (path: string): string =>
      `https://127.0.0.1:${(elsewhere.address() as AddressInfo).port}${path}`;

    it('is fetched from there, over further redirects', async () => {
      answerTo = () => parts(`Location: ${urlOf('/here')}\r\n\r\n`);
      expect(await outcome('one')).to.equal('at /there');
      answerTo = ({ path }) =>
        path.startsWith('/_matrix/federation') ? UNKNOWN : streamOf('', { location: urlOf('/old') }, 307);
      expect(await outcome('two'), 'of an older server').to.equal('at /old');
      answerTo = () => parts(`Location: ${urlOf('/missing')}\r\n\r\n`);
      expect(await outcome('three')).to.equal('502 M_UNKNOWN');
    });

    it('is not looked for at private addresses, or where nobody can prove who they are', async () => {
      const federation = { ...world.config.federation, allowPrivateAddresses: false };
      const { signal } = new AbortController();
      const attempt = async (change: object): Promise<string> => {
        const ground = createRedirectGround({ ...federation, ...change });
        return fetchRedirected(ground, urlOf('/x'), signal).then(String, (error: Error) => error.name);
      };
      expect(await attempt({})).to.equal('AddressForbidden');
      expect(await attempt({ allowPrivateAddresses: true, caFile: '' })).to.equal('Error');
    });
  });
});
