import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReloadReport } from '../../../src/inspector/settings-report.ts';
import { type FederationPeer, openFederationPeer } from '../../support/federation-peer.ts';
import { freePort } from '../../support/free-port.ts';
import type { HttpClient } from '../../support/http-client.ts';
import { createHttpClient, pathOf } from '../../support/http-client.ts';
import { type InProcessProgram, startInProcess } from '../../support/in-process-program.ts';
import { okBody, type Person, personOf, register, textOf } from '../../support/person.ts';
import { federationEnvironment } from '../../support/troupe-cluster.ts';

/** One server that federates, two people on it and Carol, whom nobody knows, a server beside it, and a page. */
export interface LiveWorld {
  readonly http: HttpClient;
  readonly inspector: HttpClient;
  /** The administrator. */
  readonly ann: Person;
  readonly bob: Person;
  readonly serverName: string;
  readonly peer: FederationPeer;
  /** Where a page is served without TLS, on a private address. */
  readonly pageUrl: string;
  /** Another number with each call: for names that are used once. */
  readonly next: () => number;
  reconfigure(environment: Readonly<Record<string, string>>): ReloadReport;
  close(): Promise<void>;
}

function openPage(): Promise<Server> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<html><head><title>A page</title></head></html>');
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Content of the peer: 2,000 bytes, whatever its id. */
function scriptMedia(peer: FederationPeer): void {
  const content = `--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\nContent-Type: text/plain\r\n\r\n${'m'.repeat(2_000)}\r\n--x--\r\n`;
  peer.on('GET', '/_matrix/federation/v1/media/download/{mediaId}', () => ({
    bytes: content,
    headers: { 'content-type': 'multipart/mixed; boundary=x' },
  }));
  peer.on('POST', '/_matrix/key/v2/query', () => ({ json: { server_keys: [] } }));
}

async function registerWithDevice(
  http: HttpClient,
  program: InProcessProgram,
): Promise<readonly [Person, Person]> {
  const first = program.program.firstToken ?? '';
  const body = { username: 'ann', password: 'open sesame 42' };
  const challenge = await http.post('/_matrix/client/v3/register', body, { token: null });
  const { session } = challenge.body as { session: string };
  const auth = { type: 'm.login.registration_token', token: first, session };
  const made = okBody(
    await http.post('/_matrix/client/v3/register', { ...body, auth }, { token: null }),
    'the first registration',
  );
  const ann = personOf(http, textOf(made, 'user_id'), textOf(made, 'access_token'));
  return [ann, await register(http, 'bob')];
}

/** Starts all of it. */
export async function openLiveWorld(): Promise<LiveWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-live-options-'));
  const serverName = `127.0.0.1:${await freePort()}`;
  const base = federationEnvironment(serverName, folder);
  const program = await startInProcess({ environment: base });
  const http = createHttpClient(program.address);
  const inspector = createHttpClient(program.program.inspectorAddress);
  const peer = await openFederationPeer();
  scriptMedia(peer);
  const page = await openPage();
  const [ann, bob] = await registerWithDevice(http, program);
  const carol = await register(http, 'carol');
  await carol.http.put(pathOf`/_matrix/client/v3/profile/${carol.userId}/displayname`, {
    displayname: 'Carol',
  });
  let count = 0;
  return {
    http,
    inspector,
    ann,
    bob,
    serverName,
    peer,
    pageUrl: `http://127.0.0.1:${(page.address() as AddressInfo).port}`,
    next: () => (count += 1),
    reconfigure: (environment) => program.reconfigure(environment),
    async close() {
      http.close();
      inspector.close();
      page.close();
      page.closeAllConnections();
      await program.dispose();
      await peer.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
