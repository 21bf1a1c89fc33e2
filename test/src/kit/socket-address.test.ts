import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openSocketAddress, SocketPathTooLong } from '../../../src/kit/socket-address.ts';

/** Longer than a socket's address may be, on any system. */
const LONG_NAME = 'x'.repeat(120);

describe('addresses of sockets', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-socket-'));
    mkdirSync(join(folder, LONG_NAME));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('are their paths where these are short', () => {
    expect(openSocketAddress(folder, 's', 'linux').path).to.equal(join(folder, 's'));
  });

  it('reach folders whose paths are too long, on Linux', async function () {
    if (process.platform !== 'linux') this.skip();
    const long = join(folder, LONG_NAME);
    const address = openSocketAddress(long, 's', 'linux');
    const server = createServer((socket) => socket.end('here'));
    await new Promise<void>((resolve) => void server.listen({ path: address.path }, resolve));
    const other = openSocketAddress(long, 's', 'linux');
    expect(other.path).to.not.equal(address.path);
    const heard = await new Promise<string>((resolve, reject) => {
      const socket = connect({ path: other.path }, () => socket.setEncoding('utf8'));
      socket.once('data', (text: string) => resolve(text));
      socket.once('error', reject);
    });
    expect(heard).to.equal('here');
    other.close();
    await new Promise((resolve) => void server.close(resolve));
    address.close();
  });

  it('are refused elsewhere, and where the name alone is too long', () => {
    expect(() => openSocketAddress(join(folder, LONG_NAME), 's', 'darwin')).to.throw(SocketPathTooLong);
    expect(() => openSocketAddress(folder, LONG_NAME, 'linux')).to.throw(SocketPathTooLong, 'shorter');
  });
});
