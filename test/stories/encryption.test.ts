import { expect } from 'chai';
import { type MatrixClient, type MatrixEvent, Preset, type Room } from 'matrix-js-sdk';
import { CryptoEvent } from 'matrix-js-sdk/lib/crypto-api/index.js';
import type { Json, JsonObject } from '../../src/kit/json.ts';
import { cryptoDevice } from '../support/crypto-device.ts';
import { createHttpClient, type HttpClient } from '../support/http-client.ts';
import {
  clientOf,
  eventually,
  logIn,
  register,
  type Session,
  startSyncing,
  textsOf,
  within,
} from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 60_000;

/** Ends a server without a word of warning and starts it again at the same address, over the same data. */
async function killAndRestart(server: TroupeProcess, gateways: number): Promise<TroupeProcess> {
  await server.kill();
  const { host } = new URL(server.url);
  return startTroupe({ gateways, folder: server.folder, environment: { TROUPE_SERVER_LISTEN: host } });
}

describe('two people talk in secret', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let ann: MatrixClient;
  let bob: MatrixClient;
  let tablet: MatrixClient;
  let roomId: string;

  async function start(session: Session): Promise<MatrixClient> {
    const client = clientOf(server.url, session);
    await client.initRustCrypto({ useIndexedDB: false });
    await startSyncing(client);
    return client;
  }
  const cryptoOf = (client: MatrixClient) => {
    const crypto = client.getCrypto();
    if (crypto === undefined) throw new Error('there is no crypto');
    return crypto;
  };
  const roomOf = (client: MatrixClient): Room => {
    const room = client.getRoom(roomId);
    if (room === null) throw new Error(`${client.getUserId()} does not know ${roomId}`);
    return room;
  };
  const messageOf = (client: MatrixClient, text: string): MatrixEvent | undefined =>
    roomOf(client)
      .getLiveTimeline()
      .getEvents()
      .find((event) => event.getContent()['body'] === text);
  /** Waits until a client has read a message, and gives the session that it was encrypted with. */
  async function hears(client: MatrixClient, text: string): Promise<string> {
    const event = await eventually(client, text, () => {
      const found = messageOf(client, text);
      return found?.isEncrypted() === true && !found.isDecryptionFailure() ? found : null;
    });
    expect(event.getWireType()).to.equal('m.room.encrypted');
    expect(JSON.stringify(event.event)).to.not.include(text);
    return String(event.getWireContent()['session_id']);
  }

  /** Waits until a client has been told of a device and has asked for its keys. */
  async function knowsDevice(client: MatrixClient, userId: string, deviceId: string): Promise<void> {
    const updates = new Set<() => void>();
    const note = (): void => {
      for (const resolve of updates) resolve();
    };
    client.on(CryptoEvent.DevicesUpdated, note);
    const known = async (): Promise<void> => {
      const updated = new Promise<void>((resolve) => updates.add(resolve));
      const devices = await cryptoOf(client).getUserDeviceInfo([userId]);
      if (devices.get(userId)?.has(deviceId) === true) return;
      await updated;
      await known();
    };
    await within(`${deviceId} being known`, known());
    client.off(CryptoEvent.DevicesUpdated, note);
  }

  before(async () => {
    server = await startTroupe();
    ann = await start(await register(server.url, 'ann', 'ann has a secret'));
    bob = await start(await register(server.url, 'bob', 'bob has another'));
  });
  after(async () => {
    for (const client of [ann, bob, tablet]) client?.stopClient();
    await server?.dispose();
  });

  it('in both directions, through a crash of the server, on a second device, and no more with who has left', async () => {
    await cryptoOf(ann).bootstrapCrossSigning({
      authUploadDeviceSigningKeys: async (upload) => {
        await upload(null);
      },
    });
    const made = await ann.createRoom({
      preset: Preset.PrivateChat,
      invite: ['@bob:localhost'],
      initial_state: [
        { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      ],
    });
    roomId = made.room_id;
    await eventually(bob, 'the invite', () => bob.getRoom(roomId)?.getMyMembership() === 'invite');
    await bob.joinRoom(roomId);
    await eventually(
      ann,
      'his join',
      () => ann.getRoom(roomId)?.getMember('@bob:localhost')?.membership === 'join',
    );
    await ann.sendTextMessage(roomId, 'where is the key');
    await hears(bob, 'where is the key');
    await bob.sendTextMessage(roomId, 'under the mat');
    const session = await hears(ann, 'under the mat');
    const status = await cryptoOf(bob).getDeviceVerificationStatus('@ann:localhost', ann.getDeviceId() ?? '');
    expect(status?.signedByOwner, 'her device is signed with her cross-signing keys').to.equal(true);

    server = await killAndRestart(server, 1);
    await bob.sendTextMessage(roomId, 'are you still there');
    expect(await hears(ann, 'are you still there')).to.equal(session);

    tablet = await start(await logIn(server.url, 'bob', 'bob has another'));
    await knowsDevice(ann, '@bob:localhost', tablet.getDeviceId() ?? '');
    await ann.sendTextMessage(roomId, 'now on both');
    await hears(bob, 'now on both');
    const before = await hears(tablet, 'now on both');

    await bob.leave(roomId);
    await eventually(
      ann,
      'his leaving',
      () => roomOf(ann).getMember('@bob:localhost')?.membership === 'leave',
    );
    await ann.sendTextMessage(roomId, 'alone at last');
    expect(await hears(ann, 'alone at last'), 'a new session').to.not.equal(before);
    expect(textsOf(roomOf(ann))).to.include('under the mat');
  });
});

describe('many claim the keys of one device', function () {
  this.timeout(STORY_TIMEOUT_MS);
  const KEYS = 80;
  const CLIENTS = 8;
  const ROUNDS = 5;
  let server: TroupeProcess;
  let clients: HttpClient[] = [];

  after(async () => {
    for (const client of clients) client.close();
    await server?.dispose();
  });

  const fieldOf = (body: Json, ...names: readonly string[]): Json | undefined =>
    names.reduce<Json | undefined>((value, name) => (value as JsonObject | undefined)?.[name], body);

  it('each key goes out once, over four gateways and a crash in the middle', async () => {
    server = await startTroupe({ gateways: 4 });
    const { userId, deviceId, accessToken } = await register(server.url, 'ann', 'ann has a secret');
    const device = cryptoDevice(userId, deviceId);
    const connect = (): HttpClient[] => {
      const { hostname: host, port } = new URL(server.url);
      return Array.from({ length: CLIENTS }, () =>
        createHttpClient({ host, port: Number(port) }, accessToken),
      );
    };
    const uploaded = { device_keys: device.keys, one_time_keys: device.oneTimeKeys(KEYS) };
    const upload = async (body: object) =>
      fieldOf(
        (await (clients[0] as HttpClient).post('/_matrix/client/v3/keys/upload', body)).body,
        'one_time_key_counts',
        'signed_curve25519',
      );
    const claim = async (client: HttpClient): Promise<string | null> => {
      const body = { one_time_keys: { [userId]: { [deviceId]: 'signed_curve25519' } } };
      const answer = await client.post('/_matrix/client/v3/keys/claim', body).catch(() => null);
      const key = answer === null ? undefined : fieldOf(answer.body, 'one_time_keys', userId, deviceId);
      return key === undefined ? null : (Object.keys(key as JsonObject)[0] ?? null);
    };
    const claimTogether = async (): Promise<string[]> => {
      const rounds = Array.from({ length: ROUNDS }, () => clients.map(claim));
      return (await Promise.all(rounds.flat())).filter((key) => key !== null);
    };
    clients = connect();
    expect(await upload(uploaded)).to.equal(KEYS);
    const first = await claimTogether();
    expect(first).to.have.length(CLIENTS * ROUNDS);
    expect(await upload({})).to.equal(KEYS - first.length);

    const cut = Promise.all(clients.map(claim));
    server = await killAndRestart(server, 4);
    const during = (await cut).filter((key) => key !== null);
    for (const client of clients) client.close();
    clients = connect();
    const left = Number(await upload(uploaded));
    expect(left, 'keys of claims that were not answered may be gone').to.be.within(
      KEYS - first.length - CLIENTS,
      KEYS - first.length - during.length,
    );
    const last = [...(await claimTogether()), ...(await claimTogether())];
    expect(last).to.have.length(left);
    const all = [...first, ...during, ...last];
    expect(new Set(all).size, 'no key twice').to.equal(all.length);
    expect(await upload({})).to.equal(0);
  });
});
