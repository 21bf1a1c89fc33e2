import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { httpActor } from '../../../actors/http/actor.ts';
import type { TroupeContext } from '../../../actors/environment.ts';
import type { ActorInstance } from '../../../actors/kit/actor.ts';
import type { HttpAddresses, HttpProtocol } from '../../../actors/http/protocol.ts';
import { type Endpoint, defineEndpoint } from '../../../src/http/kit/endpoint.ts';
import type { Config } from '../../../src/config/config.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { CertificateUnusable } from '../../../src/http/kit/tls-certificate.ts';
import { openFederationPeer } from '../../support/federation-peer.ts';
import { testAuthority } from '../../support/test-certificates.ts';
import { silentMetrics } from '../../support/database.ts';
import { type HttpClient, createHttpClient } from '../../support/http-client.ts';
import { emptyDb, testConfig } from '../../src/http/kit/test-app.ts';

const open = { spec: 'test', auth: 'none', rateLimit: null, reply: Type.Unknown() } as const;

const askRooms = defineEndpoint({
  ...open,
  method: 'GET',
  path: '/_matrix/ask',
  needs: ['rooms', 'config'],
  handle: ({ services }) =>
    Promise.resolve({ actor: services.rooms.name, server: services.config.server.name }),
});

describe('http actor', () => {
  let ended: AbortController;
  const clients: HttpClient[] = [];

  const contextOf = (config: Config, isOnGateway = true): TroupeContext =>
    ({
      name: 'http@gateway-1',
      incarnation: 1,
      thread: 'gateway-1',
      clock: systemClock,
      random: seededRandom(1),
      log: silentLogger,
      metrics: silentMetrics,
      env: { config, db: emptyDb, streams: isOnGateway ? {} : null, caches: isOnGateway ? {} : null },
      ref: (name: string) => ({ name }),
      ended: ended.signal,
    }) as unknown as TroupeContext;

  const start = (
    config: Config,
    endpoints: readonly Endpoint[] = [askRooms],
  ): Promise<ActorInstance<HttpProtocol>> =>
    Promise.resolve(
      httpActor('gateway-1', () => Promise.resolve(endpoints.map((endpoint) => ({ endpoint })))).start(
        contextOf(config),
      ),
    );
  const addressOf = async (instance: ActorInstance<HttpProtocol>): Promise<{ host: string; port: number }> =>
    (await instance.handlers['http.read-addresses'](null)) as { host: string; port: number };
  const connect = (address: { host: string; port: number }): HttpClient => {
    const client = createHttpClient(address);
    clients.push(client);
    return client;
  };

  /** What comes of a connection to where nobody should listen. */
  const failureOf = (address: { host: string; port: number } | null): Promise<string> =>
    new Promise((resolve) => {
      const socket = connectTo(address ?? { port: 0 });
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      socket.on('connect', () => {
        socket.destroy();
        resolve('connected');
      });
    });

  beforeEach(() => {
    ended = new AbortController();
  });
  afterEach(() => {
    ended.abort();
    for (const client of clients.splice(0)) client.close();
  });

  it('is called after its thread, and tells the address that it really listens on', async () => {
    expect(httpActor('gateway-1').name).to.equal('http@gateway-1');
    const address = await addressOf(await start(testConfig()));
    expect(address.host).to.equal('127.0.0.1');
    expect(address.port).to.be.greaterThan(0);
  });

  it('gives endpoints the actors that they need, by name, and what the thread offers', async () => {
    const client = connect(await addressOf(await start(testConfig())));
    expect((await client.get('/_matrix/ask')).body).to.deep.equal({ actor: 'rooms', server: 'example.org' });
  });

  it('shares its port with other gateways, and only then', async () => {
    const first = await addressOf(await start(testConfig({ server: { gateways: 2 } })));
    const same = await addressOf(await start(testConfig({ server: { gateways: 2, listen: first } })));
    expect(same.port).to.equal(first.port);
    const alone = await addressOf(await start(testConfig()));
    const failure = await start(testConfig({ server: { listen: alone } })).catch((error: unknown) => error);
    expect(failure).to.include({ code: 'EADDRINUSE' });
  });

  it('serves the same with TLS, where that is configured, and tells where', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-http-'));
    try {
      const { certificate, key } = testAuthority().writeTo(folder);
      const anywhere = { host: '127.0.0.1', port: 0 };
      const instance = await start(
        testConfig({ federation: { listen: anywhere, tlsCertificate: certificate, tlsKey: key } }),
      );
      const { federation } = (await instance.handlers['http.read-addresses'](null)) as HttpAddresses;
      const peer = await openFederationPeer();
      const answer = await peer.ask({ serverName: `127.0.0.1:${federation?.port}` }, 'GET', '/_matrix/ask', {
        isSigned: false,
      });
      await peer.close();
      expect(answer.body).to.deep.equal({ actor: 'rooms', server: 'example.org' });
      await instance.stop?.();
      expect(await failureOf(federation)).to.equal('ECONNREFUSED');

      // The plain one does not stay behind when the other cannot be had.
      const plain = await addressOf(await start(testConfig()));
      ended.abort();
      ended = new AbortController();
      const broken = { listen: anywhere, tlsCertificate: key, tlsKey: key };
      const config = testConfig({ server: { listen: plain }, federation: broken });
      expect(await start(config).catch((error: unknown) => error)).to.be.instanceOf(CertificateUnusable);
      expect(await failureOf(plain)).to.equal('ECONNREFUSED');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('stops gracefully: a parked request is answered, and then nobody listens', async () => {
    const entered = Promise.withResolvers<void>();
    const park = defineEndpoint({
      ...open,
      method: 'GET',
      path: '/_matrix/park',
      needs: [],
      handle: ({ aborted }) =>
        new Promise((resolve) => {
          aborted.addEventListener('abort', () => resolve({ outcome: 'aborted' }));
          entered.resolve();
        }),
    });
    const instance = await start(testConfig(), [park]);
    const client = connect(await addressOf(instance));
    const answer = client.get('/_matrix/park');
    await entered.promise;
    await instance.stop?.();
    expect((await answer).body).to.deep.equal({ outcome: 'aborted' });
    expect(await client.get('/_matrix/park').catch((error: unknown) => error)).to.include({
      code: 'ECONNREFUSED',
    });
  });

  it('closes everything at once when its life ends otherwise', async () => {
    const entered = Promise.withResolvers<void>();
    const stuck = defineEndpoint({
      ...open,
      method: 'GET',
      path: '/_matrix/stuck',
      needs: [],
      handle() {
        entered.resolve();
        return new Promise(() => undefined);
      },
    });
    const address = await addressOf(await start(testConfig(), [stuck]));
    const failure = connect(address)
      .get('/_matrix/stuck')
      .catch((error: unknown) => error);
    await entered.promise;
    ended.abort();
    expect(await failure).to.include({ code: 'ECONNRESET' });
    // The next life may listen there again.
    expect((await addressOf(await start(testConfig({ server: { listen: address } })))).port).to.equal(
      address.port,
    );
  });

  it('refuses to start on a thread without streams and caches', async () => {
    const started = Promise.resolve(
      httpActor('gateway-1', () => Promise.resolve([{ endpoint: askRooms }])).start(
        contextOf(testConfig(), false),
      ),
    );
    expect(String(await started.catch((error: unknown) => error))).to.contain('which has none');
  });
});
