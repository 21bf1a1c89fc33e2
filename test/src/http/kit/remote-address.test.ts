import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { createAddressReader } from '../../../../src/http/kit/remote-address.ts';
import { testConfig } from './test-app.ts';

function addressOf(
  peer: string,
  forwarded: string | undefined,
  trustedProxies: readonly string[] = [],
): string {
  const read = createAddressReader(testConfig({ server: { trustedProxies } }));
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return read({ socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage);
}

describe('the address of a client', () => {
  it('is its own when it comes from elsewhere, whatever it claims', () => {
    expect(addressOf('192.0.2.1', '10.0.0.1')).to.equal('192.0.2.1');
    expect(addressOf('::ffff:192.0.2.1', undefined)).to.equal('192.0.2.1');
    expect(addressOf('2001:db8::1', '10.0.0.1')).to.equal('2001:db8::1');
  });

  it('is what a proxy on this machine has added', () => {
    for (const proxy of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
      expect(addressOf(proxy, '192.0.2.1')).to.equal('192.0.2.1');
      expect(addressOf(proxy, 'spoofed, 203.0.113.9, 192.0.2.1')).to.equal('192.0.2.1');
    }
    expect(addressOf('127.0.0.1', undefined)).to.equal('127.0.0.1');
    expect(addressOf('127.0.0.1', 'nonsense')).to.equal('127.0.0.1');
  });

  it('is what trusted proxies elsewhere have added, through all of them', () => {
    const trusted = ['10.0.0.0/8', '2001:db8:1::/48'];
    expect(addressOf('10.1.2.3', '192.0.2.1', trusted)).to.equal('192.0.2.1');
    expect(addressOf('2001:db8:1::7', '203.0.113.9, 192.0.2.1, 10.9.9.9', trusted)).to.equal('192.0.2.1');
    expect(addressOf('10.1.2.3', '10.9.9.9', trusted), 'a client inside').to.equal('10.9.9.9');
    expect(addressOf('11.1.2.3', '192.0.2.1', trusted), 'no proxy of ours').to.equal('11.1.2.3');
    expect(addressOf('10.1.2.3', '192.0.2.1, nonsense', trusted)).to.equal('10.1.2.3');
  });
});
