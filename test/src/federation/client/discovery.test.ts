import { expect } from 'chai';
import {
  type DiscoveryGround,
  discoverServer,
  type ServerRoute,
} from '../../../../src/federation/client/discovery.ts';
import type { ServiceTarget } from '../../../../src/federation/client/name-lookup.ts';
import { parseServerName } from '../../../../src/matrix/identifiers/server-name.ts';

/** What was asked, in order, and a world in which it is answered. */
function worldOf(
  wellKnown: Readonly<Record<string, string>> = {},
  services: Readonly<Record<string, readonly ServiceTarget[]>> = {},
): DiscoveryGround & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    wellKnown(host) {
      asked.push(`well-known ${host}`);
      const serverName = parseServerName(wellKnown[host] ?? '');
      return Promise.resolve(serverName === undefined ? null : { serverName });
    },
    names: {
      addresses: () => Promise.reject(new Error('discovery asks for no address')),
      service(name) {
        asked.push(`SRV ${name}`);
        return Promise.resolve(services[name] ?? []);
      },
    },
  };
}

const route = (target: string, port: number, hostHeader: string, certificateName: string): ServerRoute => ({
  targets: [{ host: target, port }],
  hostHeader,
  certificateName,
});

describe('discovery of servers', () => {
  it('step 1: an address is dialled as it is, with its port or 8448', async () => {
    const world = worldOf();
    expect(await discoverServer('192.0.2.1', world)).to.deep.equal(
      route('192.0.2.1', 8448, '192.0.2.1', '192.0.2.1'),
    );
    expect(await discoverServer('192.0.2.1:99', world)).to.deep.equal(
      route('192.0.2.1', 99, '192.0.2.1:99', '192.0.2.1'),
    );
    expect(await discoverServer('[2001:db8::1]', world)).to.deep.equal(
      route('2001:db8::1', 8448, '[2001:db8::1]', '2001:db8::1'),
    );
    expect(await discoverServer('[2001:db8::1]:99', world)).to.deep.equal(
      route('2001:db8::1', 99, '[2001:db8::1]:99', '2001:db8::1'),
    );
    expect(world.asked).to.deep.equal([]);
  });
  it('step 2: a port that is named is used, and nothing is asked', async () => {
    const world = worldOf({ 'a.test': 'b.test' });
    expect(await discoverServer('a.test:443', world)).to.deep.equal(
      route('a.test', 443, 'a.test:443', 'a.test'),
    );
    expect(world.asked).to.deep.equal([]);
  });
  it('step 3: the well-known names an address, or a host with a port', async () => {
    const world = worldOf({ 'a.test': '192.0.2.7', 'b.test': '[2001:db8::7]:77', 'c.test': 'm.test:443' });
    expect(await discoverServer('a.test', world)).to.deep.equal(
      route('192.0.2.7', 8448, '192.0.2.7', '192.0.2.7'),
    );
    expect(await discoverServer('b.test', world)).to.deep.equal(
      route('2001:db8::7', 77, '[2001:db8::7]:77', '2001:db8::7'),
    );
    expect(await discoverServer('c.test', world)).to.deep.equal(route('m.test', 443, 'm.test:443', 'm.test'));
    expect(world.asked).to.deep.equal(['well-known a.test', 'well-known b.test', 'well-known c.test']);
  });
  it('step 3: the well-known names a host without a port: its service records, the new name first, then 8448', async () => {
    const target = { host: 'target.test', port: 4 };
    const found = worldOf({ 'a.test': 'm.test' }, { '_matrix-fed._tcp.m.test': [target] });
    expect(await discoverServer('a.test', found)).to.deep.equal(route('target.test', 4, 'm.test', 'm.test'));
    expect(found.asked).to.deep.equal(['well-known a.test', 'SRV _matrix-fed._tcp.m.test']);

    const old = worldOf({ 'a.test': 'm.test' }, { '_matrix._tcp.m.test': [target] });
    expect(await discoverServer('a.test', old)).to.deep.equal(route('target.test', 4, 'm.test', 'm.test'));
    expect(old.asked).to.deep.equal([
      'well-known a.test',
      'SRV _matrix-fed._tcp.m.test',
      'SRV _matrix._tcp.m.test',
    ]);

    const none = worldOf({ 'a.test': 'm.test' });
    expect(await discoverServer('a.test', none)).to.deep.equal(route('m.test', 8448, 'm.test', 'm.test'));
  });
  it('the name that a well-known gives is not asked for a well-known of its own', async () => {
    const world = worldOf({ 'a.test': 'b.test', 'b.test': 'c.test' });
    expect((await discoverServer('a.test', world)).hostHeader).to.equal('b.test');
  });
  it('steps 4 to 6: without a well-known the service records of the name itself, then 8448', async () => {
    const targets = [
      { host: 'one.test', port: 1 },
      { host: 'two.test', port: 2 },
    ];
    const found = worldOf({}, { '_matrix-fed._tcp.a.test': targets });
    expect(await discoverServer('a.test', found)).to.deep.equal({
      targets,
      hostHeader: 'a.test',
      certificateName: 'a.test',
    });
    const old = worldOf({}, { '_matrix._tcp.a.test': targets });
    expect((await discoverServer('a.test', old)).targets).to.deep.equal(targets);
    expect(await discoverServer('a.test', worldOf())).to.deep.equal(
      route('a.test', 8448, 'a.test', 'a.test'),
    );
  });
  it('what is no name of a server is not looked for', async () => {
    const world = worldOf();
    for (const name of ['', 'a b', 'a.test:99999', '[::1', 'a/b']) {
      let error: unknown;
      await discoverServer(name, world).catch((thrown: unknown) => (error = thrown));
      expect(error, name).to.be.instanceOf(Error);
    }
    expect(world.asked).to.deep.equal([]);
  });
});
