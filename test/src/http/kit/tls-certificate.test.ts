import { expect } from 'chai';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { App } from '../../../../src/http/kit/app.ts';
import { DRAIN_DEADLINE_MS, type HttpServer, startHttpServer } from '../../../../src/http/kit/http-server.ts';
import {
  CERTIFICATE_CHECK_INTERVAL_MS,
  type CertificateFiles,
  CertificateUnusable,
  readCertificate,
} from '../../../../src/http/kit/tls-certificate.ts';
import { type LogLevel, silentLogger } from '../../../../src/kit/logger.ts';
import { silentMetrics } from '../../../support/database.ts';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts';
import { loopbackCertificate, testAuthority } from '../../../support/test-certificates.ts';

describe('TLS listener', () => {
  let folder: string;
  let files: CertificateFiles;
  let clock: FakeClock;
  let server: HttpServer;
  let lines: LogLevel[];
  let agents: Agent[];

  const put = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
    return file;
  };
  const start = async (): Promise<void> => {
    const app: App = {
      listener: (_: IncomingMessage, response: ServerResponse) => void response.end('answered'),
      beginStop: () => undefined,
    };
    const log = {
      ...silentLogger,
      info: () => void lines.push('info'),
      error: () => void lines.push('error'),
    };
    server = await startHttpServer({
      app,
      address: { host: '127.0.0.1', port: 0 },
      reusePort: false,
      certificate: files,
      clock,
      metrics: silentMetrics,
      log,
    });
  };
  /** What it answers, and the serial number of the certificate that it answers with. */
  const ask = (agent?: Agent): Promise<{ readonly text: string; readonly serial: string }> => {
    const own = agent ?? new Agent({ ca: testAuthority().certificate, maxCachedSessions: 0 });
    agents.push(own);
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest({ ...server.address, agent: own }, (response) => {
        const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber;
        response.setEncoding('utf8');
        let text = '';
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ text, serial }));
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-tls-'));
    const { certificate, key } = loopbackCertificate();
    files = { certificate: put('certificate.pem', certificate), key: put('key.pem', key) };
    clock = createFakeClock();
    lines = [];
    agents = [];
  });
  afterEach(() => {
    for (const agent of agents) agent.destroy();
    server?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it('answers by TLS; what speaks no TLS gets nothing', async () => {
    await start();
    expect((await ask()).text).to.equal('answered');
    const text = await new Promise<string>((resolve) => {
      const socket = connectPlain(server.address.port, '127.0.0.1');
      let got = '';
      socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(got));
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    });
    expect(text).to.not.include('HTTP/');
    expect((await ask()).text).to.equal('answered');
  });
  it('what speaks TLS but no HTTP is told so', async () => {
    await start();
    const text = await new Promise<string>((resolve, reject) => {
      const ca = testAuthority().certificate;
      const socket = connectTls({ port: server.address.port, host: '127.0.0.1', ca }, () =>
        socket.write('nonsense\r\n\r\n'),
      );
      let got = '';
      socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve(got));
    });
    expect(text).to.match(/^HTTP\/1\.1 400 /);
  });
  it('takes a renewed certificate for new connections; those that are open stay', async () => {
    await start();
    const kept = new Agent({ ca: testAuthority().certificate, keepAlive: true });
    const first = await ask(kept);
    const { certificate, key } = testAuthority().issue();
    put('certificate.pem', certificate);
    put('key.pem', key);
    expect((await ask()).serial).to.equal(first.serial);
    await clock.advance(CERTIFICATE_CHECK_INTERVAL_MS);
    const renewed = await ask();
    expect(renewed.serial).to.not.equal(first.serial);
    expect(await ask(kept)).to.deep.equal(first);
    expect(lines).to.deep.equal(['info']);
    await clock.advance(CERTIFICATE_CHECK_INTERVAL_MS);
    expect(lines).to.deep.equal(['info']);
  });
  it('keeps the old certificate while the files do not belong together', async () => {
    await start();
    const { serial } = await ask();
    const { certificate, key } = testAuthority().issue();
    put('certificate.pem', certificate);
    await clock.advance(CERTIFICATE_CHECK_INTERVAL_MS * 2);
    expect((await ask()).serial).to.equal(serial);
    rmSync(files.key);
    await clock.advance(CERTIFICATE_CHECK_INTERVAL_MS);
    expect((await ask()).serial).to.equal(serial);
    expect(lines).to.deep.equal(['error', 'error']);
    put('key.pem', key);
    await clock.advance(CERTIFICATE_CHECK_INTERVAL_MS);
    expect((await ask()).serial).to.not.equal(serial);
    expect(lines).to.deep.equal(['error', 'error', 'info']);
  });
  it('says which files cannot be used, before it listens', async () => {
    const other = put('other.pem', testAuthority().issue().key);
    const broken = put('broken.pem', 'nothing');
    for (const wrong of [
      { ...files, certificate: '' },
      { ...files, certificate: join(folder, 'missing.pem') },
      { ...files, certificate: broken },
      { ...files, key: broken },
      { ...files, key: other },
    ]) {
      expect(() => readCertificate(wrong), JSON.stringify(wrong))
        .to.throw(CertificateUnusable)
        .with.property('message')
        .that.includes(wrong.certificate)
        .and.includes(wrong.key);
    }
    files = { ...files, key: other };
    const failure = await start().catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(CertificateUnusable);
    expect(clock.pendingTimers).to.equal(0);
  });
  it('stops although somebody never ends their handshake, and looks at no files any more', async () => {
    await start();
    const socket = connectPlain(server.address.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    await clock.settle();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const stopped = server.stop();
    await clock.advance(DRAIN_DEADLINE_MS);
    await stopped;
    socket.destroy();
    await closed;
    expect(clock.pendingTimers).to.equal(0);
  });
});
