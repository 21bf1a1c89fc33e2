import { expect } from 'chai';
import { type MatrixClient, Preset } from 'matrix-js-sdk';
import { CryptoEvent, type GeneratedSecretStorageKey } from 'matrix-js-sdk/lib/crypto-api/index.js';
import {
  cryptoOf,
  ENCRYPTED,
  hears,
  killAndRestart,
  knowsDevice,
  signAcross,
  startEncrypting,
} from '../support/encrypting-client.ts';
import type { HttpClient } from '../support/http-client.ts';
import { clientOfUrl, eventually as eventuallyTrue } from '../support/person.ts';
import { eventually, logIn, register, within } from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 120_000;
const ANN = '@ann:localhost';
const TEXT = 'what only the backup can still read';
const MISSED = 'what was said while nobody was there';
const DEHYDRATED = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';

describe('a client loses everything but its recovery key', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let http: HttpClient;
  let bob: MatrixClient;
  let phone: MatrixClient;
  let tablet: MatrixClient;
  let roomId: string;
  /** What the user keeps on paper. */
  let recoveryKey: GeneratedSecretStorageKey | undefined;

  const currentVersion = async () =>
    (await http.get('/_matrix/client/v3/room_keys/version')).body as {
      readonly version: string;
      readonly count: number;
    };
  const dehydratedDevice = async () =>
    ((await http.get(DEHYDRATED)).body as { readonly device_id?: string }).device_id ?? '';

  before(async () => {
    server = await startTroupe({ gateways: 4 });
    const session = await register(server.url, 'ann', 'ann has a secret');
    http = clientOfUrl(server.url).withToken(session.accessToken);
    phone = await startEncrypting(server.url, session, () => recoveryKey);
    bob = await startEncrypting(server.url, await register(server.url, 'bob', 'bob has another'));
    await signAcross(bob);
  });
  after(async () => {
    for (const client of [bob, phone, tablet]) client?.stopClient();
    http?.close();
    await server?.dispose();
  });

  it('after it has set up secret storage, a backup and a dehydrated device', async () => {
    const crypto = cryptoOf(phone);
    await signAcross(phone);
    await crypto.bootstrapSecretStorage({
      createSecretStorageKey: async () => (recoveryKey = await crypto.createRecoveryKeyFromPassphrase()),
      setupNewKeyBackup: true,
    });
    expect(await crypto.isSecretStorageReady()).to.equal(true);
    expect(await currentVersion()).to.deep.include({ version: '1', count: 0 });
    const made = await phone.createRoom({
      preset: Preset.PrivateChat,
      invite: ['@bob:localhost'],
      initial_state: [ENCRYPTED],
    });
    roomId = made.room_id;
    await eventually(bob, 'the invite', () => bob.getRoom(roomId)?.getMyMembership() === 'invite');
    await bob.joinRoom(roomId);
    const backedUp = new Promise<void>((resolve, reject) => {
      phone.on(CryptoEvent.KeyBackupSessionsRemaining, () => {
        currentVersion().then(({ count }) => count > 0 && resolve(), reject);
      });
    });
    await eventually(
      phone,
      'his join',
      () => phone.getRoom(roomId)?.getMember('@bob:localhost')?.membership === 'join',
    );
    await phone.sendTextMessage(roomId, TEXT);
    await Promise.all([hears(bob, roomId, TEXT), within('the backup', backedUp)]);
    await crypto.startDehydration();
    await knowsDevice(bob, ANN, await dehydratedDevice());
    phone.stopClient();
    await http.post('/_matrix/client/v3/logout', {});
    await eventuallyTrue('the phone being gone', async () => {
      const devices = await cryptoOf(bob).getUserDeviceInfo([ANN]);
      return devices.get(ANN)?.has(phone.getDeviceId() ?? '') === false;
    });
    // Its key goes to the dehydrated device alone.
    await cryptoOf(bob).forceDiscardSession(roomId);
    await bob.sendTextMessage(roomId, MISSED);
  });

  it('on a new device after a crash of the server it reads what was said before, and what was said meanwhile', async () => {
    server = await killAndRestart(server, 1, [bob]);
    const session = await logIn(server.url, 'ann', 'ann has a secret');
    http.close();
    http = clientOfUrl(server.url).withToken(session.accessToken);
    tablet = await startEncrypting(server.url, session, () => recoveryKey);
    const crypto = cryptoOf(tablet);
    expect(await crypto.userHasCrossSigningKeys(ANN, true)).to.equal(true);
    await crypto.bootstrapCrossSigning({});
    expect(await crypto.isCrossSigningReady(), 'its user’s own keys, out of secret storage').to.equal(true);
    await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    const check = await crypto.checkKeyBackupAndEnable();
    expect(check?.backupInfo.version).to.equal('1');
    const restored = await crypto.restoreKeyBackup();
    expect(restored.total).to.be.greaterThan(0).and.equal(restored.imported);
    await hears(tablet, roomId, TEXT);
    const asleep = await dehydratedDevice();
    expect(asleep).to.not.equal('');
    await crypto.startDehydration();
    await hears(tablet, roomId, MISSED);
    expect(await dehydratedDevice(), 'another one took its place').to.not.equal(asleep);
  });

  it('and begins a new backup', async () => {
    await cryptoOf(tablet).resetKeyBackup();
    expect(await currentVersion()).to.deep.include({ version: '2' });
    const first = await http.get('/_matrix/client/v3/room_keys/version/1');
    expect(first.status, 'the old one is deleted').to.equal(404);
  });
});
