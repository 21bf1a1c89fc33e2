import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { JsonObject } from '../../src/kit/json.ts';
import { type FederationPeer, openFederationPeer } from '../support/federation-peer.ts';
import { freePort } from '../support/free-port.ts';
import { pathOf } from '../support/http-client.ts';
import { missingNginx, startNginx } from '../support/nginx.ts';
import { textOf } from '../support/person.ts';
import { testAuthority } from '../support/test-certificates.ts';
import { createTlsClient, type TlsAnswer, type TlsClient } from '../support/tls-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 60_000;
const CLIENT = '/_matrix/client/v3';
/** More than nginx allows by itself, and more than it would keep in memory. */
const UPLOAD_BYTES = 40 * 1024 * 1024;
const REGISTRATIONS = 3;

function fieldOf({ body, status, text }: TlsAnswer, field: string): string {
  expect(status, text).to.equal(200);
  return textOf(body as JsonObject, field);
}

describe('a server behind nginx, as docs/nginx.md says', function () {
  this.timeout(STORY_TIMEOUT_MS);
  const folder = mkdtempSync(join(tmpdir(), 'troupe-nginx-'));
  let server: TroupeProcess;
  let nginx: { stop(): Promise<void> } | undefined;
  let peer: FederationPeer;
  let client: TlsClient;
  let federation: TlsClient;
  let serverName: string;
  let ann: string;

  before(async function () {
    const missing = missingNginx();
    if (missing !== undefined) {
      process.stdout.write(`note: the guide for nginx is not tried: ${missing}\n`);
      this.skip();
    }
    const files = testAuthority().writeTo(folder);
    const [clientPort, federationPort] = [await freePort(), await freePort()];
    serverName = `127.0.0.1:${federationPort}`;
    server = await startTroupe({
      gateways: 2,
      environment: {
        TROUPE_SERVER_NAME: serverName,
        TROUPE_SERVER_PUBLIC_BASE_URL: `https://127.0.0.1:${clientPort}`,
        TROUPE_FEDERATION_CA_FILE: files.ca,
        TROUPE_FEDERATION_ALLOW_PRIVATE_ADDRESSES: 'true',
        TROUPE_FEDERATION_TRUSTED_KEY_SERVERS: '[]',
        TROUPE_RATE_LIMITS_ENABLED: 'true',
        // Two gateways have half of it each.
        TROUPE_RATE_LIMITS_REGISTRATION: `{ per_second = 0.0001, burst = ${REGISTRATIONS * 2} }`,
      },
    });
    const upstream = new URL(server.url).host;
    const { certificate, key } = files;
    nginx = await startNginx({
      folder: join(folder, 'nginx'),
      clientPort,
      federationPort,
      upstream,
      certificate,
      key,
    });
    client = createTlsClient(clientPort);
    federation = createTlsClient(federationPort);
    peer = await openFederationPeer();
    const account = { username: 'ann', password: 'open sesame 42', auth: { type: 'm.login.dummy' } };
    ann = fieldOf(await client.ask('POST', `${CLIENT}/register`, { body: account }), 'access_token');
  });
  after(async () => {
    client?.close();
    federation?.close();
    await peer?.close();
    await nginx?.stop();
    await server?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = (method: string, path: string, body?: JsonObject): Promise<TlsAnswer> =>
    client.ask(method, path, { token: ann, ...(body !== undefined && { body }) });

  it('answers clients and servers on both ports, and keeps to itself what is for administrators', async () => {
    for (const one of [client, federation]) {
      expect((await one.ask('GET', '/_matrix/client/versions')).status).to.equal(200);
      expect((await one.ask('GET', '/_matrix/federation/v1/version')).status).to.equal(200);
      expect((await one.ask('GET', '/_troupe/health/ready')).body).to.deep.include({ status: 'ready' });
      for (const path of ['/metrics', '/_troupe/inspector/v1/config', '/'])
        expect((await one.ask('GET', path)).body, path).to.equal(null);
    }
    const { text } = await client.ask('GET', '/.well-known/matrix/client');
    expect(text).to.contain('"base_url":"https://127.0.0.1');
  });

  it('holds a long poll until there is news', async () => {
    const room = fieldOf(await ask('POST', `${CLIENT}/createRoom`, {}), 'room_id');
    const since = fieldOf(await ask('GET', `${CLIENT}/sync?set_presence=offline`), 'next_batch');
    const waiting = ask('GET', `${CLIENT}/sync?set_presence=offline&timeout=30000&since=${since}`);
    const isEarly = await Promise.race([
      waiting.then(() => true),
      ask('GET', `${CLIENT}/joined_rooms`).then(() => false),
    ]);
    expect(isEarly).to.equal(false);
    await ask('PUT', pathOf`/_matrix/client/v3/rooms/${room}/send/m.room.message/1`, {
      msgtype: 'm.text',
      body: 'news',
    });
    expect((await waiting).text).to.contain('news');
  });

  it('passes a large upload through, and back', async () => {
    const headers = { 'content-type': 'application/octet-stream' };
    const body = new Uint8Array(UPLOAD_BYTES).fill(7);
    const answer = await client.ask('POST', '/_matrix/media/v3/upload', { token: ann, headers, body });
    const uri = fieldOf(answer, 'content_uri');
    const path = `/_matrix/client/v1/media/download/${uri.slice('mxc://'.length)}`;
    expect((await ask('GET', path)).text.length).to.equal(UPLOAD_BYTES);
  });

  it('leaves paths as they were written, those that other servers have signed too', async () => {
    const room = fieldOf(await ask('POST', `${CLIENT}/createRoom`, {}), 'room_id');
    const stateKey = 'a/b#c?d%2F e';
    const path = pathOf`/_matrix/client/v3/rooms/${room}/state/org.example/${stateKey}`;
    expect((await ask('PUT', path, { is: 'here' })).status).to.equal(200);
    expect((await ask('GET', path)).body).to.deep.equal({ is: 'here' });
    const target = { serverName };
    // A wrong signature is 401, so anything else is a right one.
    for (const [eventPath, query] of [
      ['/_matrix/federation/v1/event/%24a%2Fb%23c%2B', {}],
      ['/_matrix/federation/v1/event/$a+b', {}],
      ['/_matrix/federation/v1/query/directory', { room_alias: `#none/of them:${serverName}` }],
    ] as const) {
      const { status, bytes } = await peer.ask(target, 'GET', eventPath, { query });
      expect(status, `${eventPath} ${bytes.toString()}`).to.equal(404);
    }
    const wrong = await peer.ask(target, 'GET', '/_matrix/federation/v1/event/%24a', {
      authorization: `X-Matrix origin="${peer.serverName}",destination="${serverName}",key="ed25519:1",sig="AAAA"`,
    });
    expect(wrong.status).to.equal(401);
  });

  it('tells the address of the client, whatever the client claims', async () => {
    const available = async (claimed: string, localAddress: string): Promise<number> => {
      const headers = { 'x-forwarded-for': claimed };
      return (
        await client.ask('GET', `${CLIENT}/register/available?username=free`, { headers, localAddress })
      ).status;
    };
    const statuses: number[] = [];
    for (let index = 0; index < REGISTRATIONS * 2 + 1; index += 1)
      statuses.push(await available(`192.0.2.${index}`, '127.0.0.2'));
    expect(statuses.at(0)).to.equal(200);
    expect(statuses.at(-1), 'one client, whatever it claims').to.equal(429);
    expect(await available('192.0.2.0', '127.0.0.3'), 'another client').to.equal(200);
  });
});
