import { expect } from 'chai';
import type { FederationAnswer } from '../../../../src/federation/federation-client.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import {
  type FederationPeer,
  openFederationPeer,
  type PeerOptions,
} from '../../../support/federation-peer.ts';
import { type ClientWorld, type Noticed, openClientWorld, OWN_NAME, OWN_VERIFY_KEY } from './client-world.ts';

const PATH = '/_matrix/federation/v1/thing';

describe('federation client', () => {
  const peers: FederationPeer[] = [];
  const worlds: ClientWorld[] = [];

  const openPeer = async (options: PeerOptions = {}): Promise<FederationPeer> => {
    const peer = await openFederationPeer(options);
    peer.trust(OWN_NAME, OWN_VERIFY_KEY);
    peers.push(peer);
    return peer;
  };
  const openWorld = (options: Parameters<typeof openClientWorld>[0] = {}): ClientWorld => {
    const world = openClientWorld(options);
    worlds.push(world);
    return world;
  };
  const get = (world: ClientWorld, destination: string): Promise<FederationAnswer> =>
    world.client.request({ destination, method: 'GET', path: PATH });
  const reasonOf = async (answer: Promise<FederationAnswer>): Promise<string> => {
    const { kind, ...rest } = await answer;
    if (kind !== 'unreachable') throw new Error(`it ${kind}`);
    return 'reason' in rest ? rest.reason : '';
  };
  const noticed = (peer: FederationPeer, what: Noticed['what']): Noticed => ({
    serverName: peer.serverName,
    what,
  });
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.close()));
    for (const world of worlds.splice(0)) world.close();
  });

  it('asks by TLS, signed, and hands on the answer', async () => {
    const [world, peer] = [openWorld(), await openPeer()];
    peer.on('PUT', `${PATH}/{name}`, () => ({ json: { done: true } }));
    const answer = await world.client.request({
      destination: peer.serverName,
      method: 'PUT',
      path: `${PATH}/${encodeURIComponent('ä/b')}`,
      query: { one: 'ö &=+', many: ['1', '2'] },
      body: { n: 1, text: 'ü' },
    });
    expect(answer).to.deep.equal({ kind: 'answered', body: { done: true } });
    const [request] = peer.requests;
    expect(request?.origin).to.equal(OWN_NAME);
    expect(request?.params).to.deep.equal({ name: 'ä/b' });
    expect(request?.query.get('one')).to.equal('ö &=+');
    expect(request?.query.getAll('many')).to.deep.equal(['1', '2']);
    expect(request?.body).to.deep.equal({ n: 1, text: 'ü' });
    expect(request?.headers.host).to.equal(peer.serverName);
    expect(world.noticed).to.deep.equal([noticed(peer, 'heard')]);
  });
  it('what is public is asked for without a signature', async () => {
    const [world, peer] = [openWorld(), await openPeer()];
    await world.client.request({
      destination: peer.serverName,
      method: 'GET',
      path: '/_matrix/federation/v1/version',
      isSigned: false,
    });
    expect(peer.requests[0]?.origin).to.equal(null);
  });
  it('a refusal has its status and errcode, M_UNKNOWN where there is none; who refuses is there', async () => {
    const [world, peer] = [openWorld(), await openPeer()];
    peer.on('GET', PATH, () => ({ status: 403, json: { errcode: 'M_FORBIDDEN', error: 'no', more: 1 } }));
    expect(await get(world, peer.serverName)).to.deep.equal({
      kind: 'refused',
      status: 403,
      errcode: 'M_FORBIDDEN',
      error: 'no',
      body: { errcode: 'M_FORBIDDEN', error: 'no', more: 1 },
    });
    peer.on('GET', PATH, () => ({ status: 500, bytes: '<html>' }));
    expect(await get(world, peer.serverName)).to.deep.include({
      kind: 'refused',
      status: 500,
      errcode: 'M_UNKNOWN',
    });
    expect(world.noticed).to.deep.equal([noticed(peer, 'heard'), noticed(peer, 'heard')]);
  });
  it('answers that are too large, no JSON object, or nest too deep are none, but their server is there', async () => {
    const [world, peer] = [openWorld(), await openPeer()];
    const ask = (answerBytesMax?: number): Promise<string> =>
      reasonOf(
        world.client.request({
          destination: peer.serverName,
          method: 'GET',
          path: PATH,
          ...(answerBytesMax !== undefined && { answerBytesMax }),
        }),
      );
    peer.on('GET', PATH, () => ({ json: { long: 'x'.repeat(1_000) } }));
    expect(await ask(1_000)).to.include('too large');
    for (const bytes of ['[]', 'null', '{', '']) {
      peer.on('GET', PATH, () => ({ bytes }));
      expect(await ask(), bytes).to.include('no JSON object');
    }
    peer.on('GET', PATH, () => ({ bytes: `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}` }));
    expect(await ask()).to.include('too deep');
    expect(world.noticed).to.deep.equal([]);
  });
  it('a proxy without its server is out of reach', async () => {
    const [world, peer] = [openWorld(), await openPeer()];
    peer.on('GET', PATH, () => ({ status: 502, bytes: '<html>Bad Gateway' }));
    expect(await reasonOf(get(world, peer.serverName))).to.include('502');
    expect(world.noticed).to.deep.equal([noticed(peer, 'unreachable')]);
  });
  it('who counts as out of reach is not asked before the time, but by a probe', async () => {
    const [world, peer] = [openWorld(), await openPeer()];
    peer.on('GET', PATH, () => ({ json: {} }));
    const retryTs = Date.now() + 60_000;
    world.outOfReach.set(peer.serverName, retryTs);
    expect(await get(world, peer.serverName)).to.deep.include({ kind: 'unreachable', retryTs });
    expect(peer.requests).to.deep.equal([]);
    const probe = { destination: peer.serverName, method: 'GET', path: PATH, isProbe: true } as const;
    expect(await world.client.request(probe)).to.deep.include({ kind: 'answered' });
    world.outOfReach.set(peer.serverName, Date.now() - 1);
    expect(await get(world, peer.serverName)).to.deep.include({ kind: 'answered' });
  });
  it('neither this server nor what is no name is asked', async () => {
    const world = openWorld();
    for (const name of [OWN_NAME, 'no name', 'http://a.test', ''])
      expect(await get(world, name), name).to.deep.include({ kind: 'unreachable', retryTs: null });
    expect(world.noticed).to.deep.equal([]);
  });
  it('a peer that goes away is out of reach; when it is back it is found again', async () => {
    const [world, peer] = [openWorld(), await openPeer()];
    peer.on('GET', PATH, () => ({ json: {} }));
    await get(world, peer.serverName);
    await peer.goDown();
    expect(await reasonOf(get(world, peer.serverName))).to.include('ECONNREFUSED');
    await peer.comeBack();
    expect(await get(world, peer.serverName)).to.deep.include({ kind: 'answered' });
    expect(world.noticed.map(({ what }) => what)).to.deep.equal(['heard', 'unreachable', 'heard']);
  });
  it('a connection that is lost is tried once more, but not for POST', async () => {
    const [world, peer] = [openWorld(), await openPeer()];
    let calls = 0;
    const failing = (): 'hang-up' | { json: object } => {
      calls += 1;
      return calls === 1 ? 'hang-up' : { json: {} };
    };
    peer.on('GET', PATH, failing as never);
    peer.on('POST', PATH, failing as never);
    expect(await get(world, peer.serverName)).to.deep.include({ kind: 'answered' });
    calls = 0;
    const post = { destination: peer.serverName, method: 'POST', path: PATH, body: {} } as const;
    expect(await world.client.request(post)).to.deep.include({ kind: 'unreachable' });
    expect(calls).to.equal(1);
  });
  it('silence ends with the time; one that was short says nothing about the server', async () => {
    const clock = createFakeClock(Date.now());
    const [world, peer] = [openWorld({ clock }), await openPeer()];
    peer.on('GET', PATH, () => 'silence');
    const ask = async (timeoutMs: number): Promise<string> => {
      const asked = world.client.request({
        destination: peer.serverName,
        method: 'GET',
        path: PATH,
        timeoutMs,
      });
      const count = peer.requests.length;
      await peer.heard('the request', () => peer.requests.length > count);
      await clock.advance(timeoutMs);
      return reasonOf(asked);
    };
    expect(await ask(1_000)).to.include('1000 ms');
    expect(world.noticed).to.deep.equal([]);
    expect(await ask(20_000)).to.include('20000 ms');
    expect(world.noticed).to.deep.equal([noticed(peer, 'unreachable')]);
    expect(clock.pendingTimers).to.equal(0);
  });
  it('time ends also what looks for the server, and an abort ends the request with its reason', async () => {
    const clock = createFakeClock(Date.now());
    const world = openWorld({ clock, wellKnownPort: 1 });
    world.addresses.set('slow.test', []);
    const never = new Promise<never>(() => undefined);
    world.services.get = () => never as never;
    const asked = world.client.request({ destination: 'slow.test', method: 'GET', path: PATH });
    await clock.advance(60_000);
    expect(await reasonOf(asked)).to.include('60000 ms');

    const controller = new AbortController();
    const { signal } = controller;
    const given = world.client.request({ destination: 'slow.test', method: 'GET', path: PATH, signal });
    const ended = given.catch((error: unknown) => error);
    const reason = new Error('given up');
    controller.abort(reason);
    expect(await ended).to.equal(reason);
    const late = world.client.request({ destination: 'slow.test', method: 'GET', path: PATH, signal });
    expect(await late.catch((error: unknown) => error)).to.equal(reason);
    expect(world.noticed.filter(({ what }) => what === 'unreachable')).to.have.length(1);
  });
  it('connections are kept', async () => {
    const [world, peer] = [openWorld(), await openPeer()];
    const ports = new Set<string>();
    peer.on('GET', PATH, ({ remotePort }) => {
      ports.add(String(remotePort));
      return { json: {} };
    });
    for (let count = 0; count < 6; count += 1) await get(world, peer.serverName);
    // The first may still be busy with its end when the second request comes.
    expect(ports.size).to.be.at.most(2);
  });

  describe('streams', () => {
    it('gives what is no JSON piece by piece, and refusals as ever', async () => {
      const [world, peer] = [openWorld(), await openPeer()];
      peer.on('GET', PATH, () => ({ bytes: 'some bytes', headers: { 'X-Own': 'yes' } }));
      const request = { destination: peer.serverName, method: 'GET', path: PATH } as const;
      const stream = await world.client.stream(request);
      if (stream.kind !== 'streaming') throw new Error(stream.kind);
      expect(stream.headers).to.include({ 'x-own': 'yes' });
      const chunks: Buffer[] = [];
      for await (const chunk of stream.body) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).toString()).to.equal('some bytes');

      peer.on('GET', PATH, () => ({ status: 307, bytes: '', headers: { location: 'https://else.test/' } }));
      const redirect = await world.client.stream(request);
      expect(redirect).to.include({ kind: 'streaming', status: 307 });
      if (redirect.kind === 'streaming') redirect.body.destroy();

      peer.on('GET', PATH, () => ({ status: 404, json: { errcode: 'M_NOT_FOUND', error: 'gone' } }));
      expect(await world.client.stream(request)).to.deep.include({ kind: 'refused', errcode: 'M_NOT_FOUND' });
    });
    it('ends what is still being read with the signal', async () => {
      const [world, peer] = [openWorld(), await openPeer()];
      // The rest never comes.
      peer.on('GET', PATH, () => ({
        bytes: 'x'.repeat(1_000_000),
        headers: { 'content-length': '2000000' },
      }));
      const controller = new AbortController();
      const stream = await world.client.stream({
        destination: peer.serverName,
        method: 'GET',
        path: PATH,
        signal: controller.signal,
      });
      if (stream.kind !== 'streaming') throw new Error(stream.kind);
      const reason = new Error('given up');
      const error = new Promise((resolve) => void stream.body.once('error', resolve));
      controller.abort(reason);
      expect(await error).to.equal(reason);
      expect(stream.body.destroyed).to.equal(true);
    });
  });

  describe('what is dialled', () => {
    it('no private address, unless that is configured', async () => {
      const peer = await openPeer();
      const world = openWorld({ allowPrivateAddresses: false });
      world.addresses.set('inside.test', ['127.0.0.1', '10.0.0.1', '::1', '169.254.1.1', '::ffff:127.0.0.1']);
      for (const name of [peer.serverName, `inside.test:${peer.port}`, `[::ffff:127.0.0.1]:${peer.port}`])
        expect(await reasonOf(get(world, name)), name).to.include('out of bounds');
      expect(peer.requests).to.deep.equal([]);
    });
    it('no server whose certificate is of an authority that nobody trusts', async () => {
      const peer = await openPeer();
      const world = openWorld({ trustsTestAuthority: false });
      expect(await reasonOf(get(world, peer.serverName))).to.match(/certificate/i);
      expect(peer.requests).to.deep.equal([]);
    });
    it('no server whose certificate is for another name, even where the address would do', async () => {
      const peer = await openPeer({ certifiedNames: ['a.test'] });
      const world = openWorld();
      world.addresses.set('a.test', ['127.0.0.1']);
      world.addresses.set('b.test', ['127.0.0.1']);
      peer.on('GET', PATH, () => ({ json: {} }));
      expect(await reasonOf(get(world, `b.test:${peer.port}`))).to.match(/altnames|certificate/i);
      expect(await reasonOf(get(world, peer.serverName))).to.match(/altnames|certificate|IP/i);
      expect(peer.requests).to.deep.equal([]);
    });
    it('the next address when one does not answer', async () => {
      const peer = await openPeer({ certifiedNames: ['a.test'], serverName: 'a.test' });
      const world = openWorld({ wellKnownPort: 1 });
      world.services.set('_matrix-fed._tcp.a.test', [
        { host: 'gone.test', port: 1 },
        { host: 'nowhere.test', port: peer.port },
        { host: 'here.test', port: peer.port },
      ]);
      world.addresses.set('gone.test', ['127.0.0.1']);
      world.addresses.set('here.test', ['127.0.0.1']);
      peer.on('GET', PATH, () => ({ json: {} }));
      expect(await get(world, 'a.test')).to.deep.include({ kind: 'answered' });
      // By a service record it is still the name itself that is asked.
      expect(peer.requests[0]?.headers.host).to.equal('a.test');
      expect(peer.requests[0]?.origin).to.equal(OWN_NAME);
    });
    it('by the name as it is written', async () => {
      const peer = await openPeer({ certifiedNames: ['a.test'] });
      const world = openWorld();
      world.addresses.set('A.test', ['127.0.0.1']);
      peer.on('GET', PATH, () => ({ json: {} }));
      const request = {
        destination: `A.test:${peer.port}`,
        method: 'GET',
        path: PATH,
        isSigned: false,
      } as const;
      await world.client.request(request);
      expect(peer.requests[0]?.headers.host).to.equal(`A.test:${peer.port}`);
    });
    it('who has no address is out of reach', async () => {
      const world = openWorld({ wellKnownPort: 1 });
      expect(await reasonOf(get(world, 'nowhere.test'))).to.include('no address');
    });
  });

  describe('well-known', () => {
    const WELL_KNOWN = '/.well-known/matrix/server';

    it('leads to the server, which is asked by the name that it gives, for the name that is meant', async () => {
      const peer = await openPeer({ certifiedNames: ['matrix.test'], serverName: 'a.test' });
      const host = await openPeer({ certifiedNames: ['a.test', 'www.a.test'], serverName: 'host' });
      const world = openWorld({ wellKnownPort: host.port });
      for (const name of ['a.test', 'www.a.test', 'matrix.test']) world.addresses.set(name, ['127.0.0.1']);
      host.on('GET', WELL_KNOWN, () => ({
        status: 302,
        json: {},
        headers: { location: `https://www.a.test:${host.port}/elsewhere` },
      }));
      host.on('GET', '/elsewhere', () => ({ json: { 'm.server': `matrix.test:${peer.port}` } }));
      peer.on('GET', PATH, () => ({ json: {} }));
      expect(await get(world, 'a.test')).to.deep.include({ kind: 'answered' });
      expect(peer.requests[0]?.headers.host).to.equal(`matrix.test:${peer.port}`);
      // The signature is for the server, not for the host.
      expect(peer.requests[0]?.origin).to.equal(OWN_NAME);
      await get(world, 'a.test');
      expect(host.requests).to.have.length(2);
    });
    it('is not believed from an address out of bounds, by a wrong certificate, in plain, in circles, or too large', async () => {
      const peer = await openPeer({ certifiedNames: ['a.test'], serverName: 'a.test' });
      const plain = await openPeer({ isPlain: true });
      const said = { 'm.server': `a.test:${peer.port}` };
      peer.on('GET', PATH, () => ({ json: {} }));
      plain.on('GET', '/plain', () => ({ json: said }));
      const replies = {
        large: { json: { ...said, large: 'x'.repeat(60_000) } },
        circle: { status: 301, json: said, headers: { location: WELL_KNOWN } },
        plain: { status: 301, json: said, headers: { location: `http://${plain.serverName}/plain` } },
        wrong: { status: 301, json: said, headers: { location: `https://b.test:${peer.port}/` } },
      };
      for (const [what, reply] of Object.entries(replies)) {
        const world = openWorld({ wellKnownPort: peer.port });
        world.addresses.set('a.test', ['127.0.0.1']);
        world.addresses.set('b.test', ['127.0.0.1']);
        peer.on('GET', WELL_KNOWN, () => reply);
        // On 8448, where it is looked for then, nobody listens.
        expect(await get(world, 'a.test'), what).to.deep.include({ kind: 'unreachable' });
      }
      expect(peer.requests.filter(({ path }) => path === PATH)).to.deep.equal([]);
      expect(plain.requests).to.deep.equal([]);
    });
  });
});
