import { expect } from 'chai';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MatrixClient, type MatrixError, Preset } from 'matrix-js-sdk';
import type { JsonObject } from '../../src/kit/json.ts';
import { cryptoDevice } from '../support/crypto-device.ts';
import {
  cryptoOf,
  ENCRYPTED,
  hears,
  roomOf,
  signAcross,
  startEncrypting,
} from '../support/encrypting-client.ts';
import type { HttpClient } from '../support/http-client.ts';
import { clientOfUrl, eventually as eventuallyTrue, okBody } from '../support/person.ts';
import { eventually, logIn, register, type Session, textsOf } from '../support/sdk-client.ts';
import { spawnTroupe, startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 120_000;
const FILE_MODE = 0o777;
const [ONE_TIME_KEYS, CLAIMS_BEFORE, CLAIMS_LOST] = [20, 3, 4];

/** Runs a command as a process of its own. */
async function run(
  folder: string,
  ...args: string[]
): Promise<{ readonly code: number; readonly said: string }> {
  const { child, output } = spawnTroupe(folder, {}, args);
  const code = await new Promise<number>((resolve) => child.once('close', (ended) => resolve(ended ?? -1)));
  return { code, said: output() };
}

describe('a server burns down, and there is a backup', function () {
  this.timeout(STORY_TIMEOUT_MS);
  const { random } = Math;
  const shelf = mkdtempSync(join(tmpdir(), 'troupe-backup-'));
  const file = join(shelf, 'nightly.tar.zst');
  let server: TroupeProcess;
  let ann: MatrixClient;
  let bob: MatrixClient;
  let http: HttpClient;
  let robot: Session;
  let roomId: string;
  let lostRoomId: string;
  let storedKeys = 0;
  /** What was acknowledged before the backup began. */
  let certain: readonly string[] = [];
  /** Keys of the robot that were handed out. */
  const claimed: string[] = [];

  const says = async (from: MatrixClient, to: MatrixClient, text: string): Promise<void> => {
    await from.sendTextMessage(roomId, text);
    await Promise.all([hears(from, roomId, text), hears(to, roomId, text)]);
  };
  const isIn = (client: MatrixClient, who: MatrixClient) =>
    eventually(
      client,
      `${who.getUserId()} being in the room`,
      () => client.getRoom(roomId)?.getMember(who.getUserId() ?? '')?.membership === 'join',
    );
  /** How many keys of messages Ann's client has stored in a version of her backup. */
  async function keysStored(version: string): Promise<number> {
    const client = clientOfUrl(server.url).withToken(ann.getAccessToken() ?? '');
    const { body } = await client.get('/_matrix/client/v3/room_keys/version');
    client.close();
    const current = body as { readonly version: string; readonly count: number };
    expect(current.version).to.equal(version);
    return current.count;
  }
  async function claim(): Promise<string | undefined> {
    const body = { one_time_keys: { [robot.userId]: { [robot.deviceId]: 'signed_curve25519' } } };
    const answer = okBody(await http.post('/_matrix/client/v3/keys/claim', body), 'claim');
    const device = (answer['one_time_keys'] as Record<string, Record<string, JsonObject> | undefined>)[
      robot.userId
    ];
    return Object.keys(device?.[robot.deviceId] ?? {})[0];
  }
  const uploadKeys = async (body: JsonObject): Promise<JsonObject> =>
    okBody(await http.post('/_matrix/client/v3/keys/upload', body), 'upload');

  before(async () => {
    // The client waits a while by chance before it stores keys.
    Math.random = () => 0;
    server = await startTroupe({ gateways: 1 });
    const names = ['ann', 'bob'] as const;
    const clients = names.map(async (name) =>
      startEncrypting(server.url, await register(server.url, name, `${name} has a secret`)),
    );
    [ann, bob] = (await Promise.all(clients)) as [MatrixClient, MatrixClient];
    await signAcross(ann);
    await cryptoOf(ann).resetKeyBackup();
    robot = await register(server.url, 'robot', 'robots have none');
    http = clientOfUrl(server.url).withToken(robot.accessToken);
  });
  after(async () => {
    Math.random = random;
    for (const client of [ann, bob]) client?.stopClient();
    http?.close();
    await server?.dispose();
    rmSync(shelf, { recursive: true, force: true });
  });

  it('made while everybody goes on, of all that was acknowledged before', async () => {
    roomId = (
      await ann.createRoom({ preset: Preset.PublicChat, name: 'the mill', initial_state: [ENCRYPTED] })
    ).room_id;
    await bob.joinRoom(roomId);
    await isIn(ann, bob);
    await says(ann, bob, 'before it');
    await ann.uploadContent('a picture of the mill', { type: 'text/plain' });
    const device = cryptoDevice(robot.userId, robot.deviceId);
    await uploadKeys({
      device_keys: device.keys,
      one_time_keys: device.oneTimeKeys(ONE_TIME_KEYS),
      fallback_keys: device.fallbackKey('F'),
    });
    for (let count = 0; count < CLAIMS_BEFORE; count += 1) claimed.push((await claim()) ?? '');

    const life = { isOver: false };
    const acknowledged: string[] = [];
    const goOn = (async () => {
      for (let count = 0; !life.isOver; count += 1) {
        const { event_id: eventId } = await bob.sendEvent(roomId, 'story.tick' as never, { count } as never);
        acknowledged.push(eventId);
      }
    })();
    await eventuallyTrue('some ticks', async () => acknowledged.length > 20);
    certain = [...acknowledged];
    const made = await run(server.folder, 'backup', file);
    life.isOver = true;
    await goOn;
    expect(made.code, made.said).to.equal(0);
    expect(made.said).to.match(/1 media files.*checked/s);
    expect(acknowledged.length, 'it went on meanwhile').to.be.greaterThan(certain.length);
    expect(statSync(file).mode & FILE_MODE).to.equal(0o600);
    expect(readdirSync(shelf)).to.deep.equal(['nightly.tar.zst']);
  });

  it('goes on living after it, and is lost', async () => {
    const storedBefore = await keysStored('1');
    await cryptoOf(bob).forceDiscardSession(roomId);
    await says(bob, ann, 'after it');
    storedKeys = await eventuallyTrue('another key of hers', async () => {
      const count = await keysStored('1');
      return count > storedBefore && count;
    });
    await ann.setRoomName(roomId, 'the mill by the lost river');
    await eventually(bob, 'the name', () => roomOf(bob, roomId).name.includes('lost river'));
    lostRoomId = (await bob.createRoom({ preset: Preset.PublicChat, name: 'the lost room' })).room_id;
    await ann.setAccountData('story.mood' as never, { mood: 'sunny' } as never);
    for (let count = 0; count < CLAIMS_LOST; count += 1) claimed.push((await claim()) ?? '');
    await server.kill();
    const refused = await run(server.folder, 'restore', file);
    expect(refused.code).to.equal(1);
    expect(refused.said).to.include('--force');
    const restored = await run(server.folder, 'restore', file, '--force');
    expect(restored.code, restored.said).to.equal(0);
    expect(restored.said).to.include('before-restore-').and.to.include('Start the server now.');
    const looked = await run(server.folder, 'verify', '--full');
    expect(looked.code, looked.said).to.equal(0);
    expect(looked.said)
      .to.match(/media +1 files, 21 bytes: fine/)
      .and.to.include('is consistent');
  });

  it('comes back: its clients go on without being told what happened', async () => {
    const { host } = new URL(server.url);
    server = await startTroupe({
      gateways: 1,
      folder: server.folder,
      environment: { TROUPE_SERVER_LISTEN: host },
    });
    for (const client of [ann, bob]) client.retryImmediately();
    await eventually(bob, 'the name as it was', () => roomOf(bob, roomId).name === 'the mill');
    await says(ann, bob, 'are you there');
    await says(bob, ann, 'where else');
    expect(textsOf(roomOf(bob, roomId))).to.include.members(['are you there', 'where else']);
    expect(server.output()).to.not.include('"level":50');
    expect(await bob.leave(lostRoomId).catch((error: MatrixError) => error.httpStatus)).to.be.oneOf([
      403, 404,
    ]);
    for (const eventId of certain)
      expect((await ann.fetchRoomEvent(roomId, eventId)).event_id).to.equal(eventId);
  });

  it('hands out no key twice, and takes new ones', async () => {
    expect(new Set(claimed)).to.have.property('size', CLAIMS_BEFORE + CLAIMS_LOST);
    http.close();
    http = clientOfUrl(server.url).withToken(robot.accessToken);
    expect(await claim()).to.equal('signed_curve25519:F');
    const sync = okBody(await http.get('/_matrix/client/v3/sync'), 'sync');
    expect(sync['device_one_time_keys_count']).to.deep.equal({ signed_curve25519: 0 });
    expect(sync['device_unused_fallback_key_types']).to.deep.equal([]);
    const device = cryptoDevice(robot.userId, robot.deviceId);
    await uploadKeys({ one_time_keys: device.oneTimeKeys(ONE_TIME_KEYS, 'N') });
    const next = await claim();
    expect(next).to.match(/:N\d+$/);
    // A client that has lost its mind as well may use an old id for another key.
    const other = cryptoDevice(robot.userId, robot.deviceId, 'other keys');
    await uploadKeys({ one_time_keys: other.oneTimeKeys(1) });
  });

  it('lets others encrypt for who comes new, and clients store their keys again', async () => {
    const carl = await startEncrypting(server.url, await register(server.url, 'carl', 'carl has a secret'));
    try {
      await carl.joinRoom(roomId);
      await isIn(bob, carl);
      await bob.sendTextMessage(roomId, 'welcome carl');
      await hears(carl, roomId, 'welcome carl');
    } finally {
      carl.stopClient();
    }
    const known = await logIn(server.url, 'ann', 'ann has a secret');
    expect(known.userId).to.equal('@ann:localhost');
    // What an app does when it starts, and after a key that the server does not take under the old version.
    const check = await cryptoOf(ann).checkKeyBackupAndEnable();
    expect(check?.backupInfo.version).to.equal('1000001');
    await eventuallyTrue('all her keys', async () => (await keysStored('1000001')) >= storedKeys);
    expect(existsSync(join(server.folder, 'restoring'))).to.equal(false);
  });
});
