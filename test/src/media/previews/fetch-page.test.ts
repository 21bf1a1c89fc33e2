import type { AddressInfo } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { createAddressGuard } from '../../../../src/http-client/address-guard.ts';
import {
  createPageFetcher,
  FETCH_MS_MAX,
  type PageFetcher,
  REDIRECTS_MAX,
} from '../../../../src/media/previews/fetch-page.ts';
import { PAGE_BYTES_MAX, readPage } from '../../../../src/media/previews/read-page.ts';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts';
import { type PageServer, startPageServer } from './page-server.ts';

/** Only the page server's own address; every other loopback address stays out of bounds. */
const GUARD = createAddressGuard([], ['127.0.0.1/32']);

describe('fetching pages', () => {
  let server: PageServer;
  let clock: FakeClock;
  let fetcher: PageFetcher;
  /** What each look-up gives, in turn; the last one stays. */
  let addresses: (readonly string[])[];
  let lookups: string[];

  const lookup = (hostname: string): Promise<readonly string[]> => {
    lookups.push(hostname);
    const found = addresses.length > 1 ? addresses.shift() : addresses[0];
    return Promise.resolve(found ?? []);
  };
  const text = async (url: string): Promise<string> => {
    const read = await fetcher.fetch(new URL(url), '', async ({ body }) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    });
    return typeof read === 'string'
      ? read
      : `${read.kind}${read.kind === 'failed' ? `: ${read.reason}` : ''}`;
  };

  beforeEach(async () => {
    server = await startPageServer();
    clock = createFakeClock();
    addresses = [['127.0.0.1']];
    lookups = [];
    fetcher = createPageFetcher({ guard: GUARD, lookup, clock });
    server.page('/', 'hello');
  });
  afterEach(() => server.close());

  const at = (path: string, host = 'page.test'): string => `http://${host}:${server.port}${path}`;

  it('fetches from an address that is allowed, by the name that was asked for', async () => {
    server.on('/host', ({ headers }, response) => void response.end(headers.host));
    expect(await text(at('/'))).to.equal('hello');
    expect(await text(at('/host'))).to.equal(`page.test:${server.port}`);
    expect(await text(at('/', '127.0.0.1'))).to.equal('hello');
    expect(clock.pendingTimers).to.equal(0);
  });

  for (const host of [
    '127.0.0.2',
    '2130706434',
    '0177.0.0.2',
    '0x7f.2',
    '127.2',
    '[::1]',
    '[::]',
    '0.0.0.0',
    '0',
    '[::ffff:10.0.0.1]',
    '[::ffff:a00:1]',
    '[::10.0.0.1]',
    '[64:ff9b::a00:1]',
    '[2002:a00:1::]',
    '169.254.169.254',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '[fe80::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[ff02::1]',
  ])
    it(`never connects to ${host}`, async () => {
      expect(await text(at('/', host))).to.equal('forbidden');
      expect(server.asked).to.deep.equal([]);
      expect(lookups).to.deep.equal([]);
    });

  it('never connects to a name with a private address, not even beside a public one', async () => {
    for (const answer of [['10.0.0.1'], ['127.0.0.1', '10.0.0.1'], ['::1'], ['::ffff:127.0.0.2'], []]) {
      addresses = [answer];
      expect(await text(at('/'))).to.equal('forbidden');
    }
    expect(server.asked).to.deep.equal([]);
  });

  it('dials the address that it has looked at: a name that changes its mind gains nothing', async () => {
    addresses = [['127.0.0.1'], ['127.0.0.2']];
    expect(await text(at('/'))).to.equal('hello');
    expect(lookups).to.deep.equal(['page.test']);
    expect(await text(at('/'))).to.equal('forbidden');
  });

  it('looks again at every redirection', async () => {
    const to = (path: string, location: string): void =>
      server.on(path, (_request, response) => void response.writeHead(302, { Location: location }).end());
    to('/one', '/two');
    to('/two', at('/', 'other.test'));
    expect(await text(at('/one'))).to.equal('hello');
    expect(lookups).to.deep.equal(['page.test', 'page.test', 'other.test']);
    to('/private', `http://127.0.0.2:${server.port}/`);
    expect(await text(at('/private'))).to.equal('forbidden');
    addresses = [['127.0.0.1'], ['10.0.0.1']];
    expect(await text(at('/two'))).to.equal('forbidden');
    addresses = [['127.0.0.1']];
    to('/file', 'file:///etc/passwd');
    expect(await text(at('/file'))).to.equal('failed: it redirects to file:');
    to('/round', '/round');
    expect(await text(at('/round'))).to.equal(`failed: it redirects more than ${REDIRECTS_MAX} times`);
    expect(server.asked.filter((path) => path === '/round').length).to.equal(REDIRECTS_MAX + 1);
  });

  it('speaks http and https only', async () => {
    for (const url of ['file:///etc/passwd', 'ftp://page.test/', 'gopher://page.test/', 'data:text/html,x'])
      expect(await text(url)).to.match(/^failed: it is /);
  });

  it('checks the certificate of https against the name', async () => {
    expect(await text(`https://page.test:${server.port}/`)).to.match(/^failed: /);
    expect(server.asked).to.deep.equal([]);
  });

  it('says the name to whoever answers at the address', async () => {
    const named: string[] = [];
    const secure = createSecureServer({
      SNICallback(name, done) {
        named.push(name);
        done(new Error('there is no certificate'));
      },
    });
    secure.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    const { port } = secure.address() as AddressInfo;
    expect(await text(`https://page.test:${port}/`)).to.match(/^failed: /);
    expect(named).to.deep.equal(['page.test']);
    await new Promise((resolve) => secure.close(resolve));
  });

  it('gives up on a server that takes too long', async () => {
    server.on('/slow', (_request, response) => void response.writeHead(200).write('begun'));
    const reading = text(at('/slow'));
    while (server.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(FETCH_MS_MAX);
    expect(await reading).to.match(/^failed/);
  });

  it('unpacks no more of a bomb than it reads', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1_048_576));
    expect(bomb.length).to.be.lessThan(300_000);
    server.page('/bomb', bomb, { 'Content-Encoding': 'gzip' });
    let bytes = 0;
    const read = await fetcher.fetch(new URL(at('/bomb')), '', ({ body, contentType }) => {
      async function* counted(): AsyncGenerator<Uint8Array> {
        for await (const chunk of body) {
          bytes += chunk.byteLength;
          yield chunk;
        }
      }
      return readPage(counted(), contentType);
    });
    expect(read).to.deep.equal(new Map());
    expect(bytes).to.be.within(PAGE_BYTES_MAX, PAGE_BYTES_MAX + 131_072);
  });

  it('fails for what is not what it says', async () => {
    server.page('/broken', 'no gzip', { 'Content-Encoding': 'gzip' });
    expect(await text(at('/broken'))).to.match(/^failed/);
    server.page('/strange', 'x', { 'Content-Encoding': 'strange' });
    expect(await text(at('/strange'))).to.match(/^failed/);
    expect(await text(at('/nowhere'))).to.equal('failed: it answered 404');
  });
});
