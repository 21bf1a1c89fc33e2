import { expect } from 'chai';
import { type MatrixClient, Preset } from 'matrix-js-sdk';
import { CryptoEvent, type GeneratedSecretStorageKey } from 'matrix-js-sdk/lib/crypto-api/index.js';
import { createHttpClient, type HttpClient } from '../support/http-client.ts';
import {
  clientOf,
  eventually,
  logIn,
  register,
  type Session,
  startSyncing,
  within,
} from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 60_000;
const TEXT = 'what only the backup can still read';

describe('a client backs its keys up', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let http: HttpClient;
  let phone: MatrixClient;
  let tablet: MatrixClient;
  /** What the user keeps on paper. */
  let recoveryKey: GeneratedSecretStorageKey | undefined;

  async function start(session: Session): Promise<MatrixClient> {
    const client = clientOf(server.url, session, {
      getSecretStorageKey: ({ keys }) => {
        const [keyId] = Object.keys(keys);
        const isKnown = keyId !== undefined && recoveryKey !== undefined;
        return Promise.resolve(isKnown ? [keyId, new Uint8Array(recoveryKey?.privateKey ?? [])] : null);
      },
    });
    await client.initRustCrypto({ useIndexedDB: false });
    await startSyncing(client);
    return client;
  }
  const cryptoOf = (client: MatrixClient) => {
    const crypto = client.getCrypto();
    if (crypto === undefined) throw new Error('there is no crypto');
    return crypto;
  };
  const currentVersion = async () =>
    (await http.get('/_matrix/client/v3/room_keys/version')).body as {
      readonly version: string;
      readonly count: number;
    };

  before(async () => {
    server = await startTroupe();
    const session = await register(server.url, 'ann', 'ann has a secret');
    const { hostname: host, port } = new URL(server.url);
    http = createHttpClient({ host, port: Number(port) }, session.accessToken);
    phone = await start(session);
  });
  after(async () => {
    for (const client of [phone, tablet]) client?.stopClient();
    http?.close();
    await server?.dispose();
  });

  it('with secret storage, reads old messages on a new device, and begins a new backup', async () => {
    const crypto = cryptoOf(phone);
    await crypto.bootstrapCrossSigning({
      authUploadDeviceSigningKeys: (upload) => upload(null).then(() => undefined),
    });
    await crypto.bootstrapSecretStorage({
      createSecretStorageKey: async () => (recoveryKey = await crypto.createRecoveryKeyFromPassphrase()),
      setupNewKeyBackup: true,
    });
    expect(await crypto.isSecretStorageReady()).to.equal(true);
    expect(await currentVersion()).to.deep.include({ version: '1', count: 0 });
    const { room_id: roomId } = await phone.createRoom({
      preset: Preset.PrivateChat,
      initial_state: [
        { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      ],
    });
    await eventually(phone, 'the room', () => phone.getRoom(roomId)?.hasEncryptionStateEvent() === true);
    const backedUp = new Promise<void>((resolve, reject) => {
      phone.on(CryptoEvent.KeyBackupSessionsRemaining, () => {
        currentVersion().then(({ count }) => count > 0 && resolve(), reject);
      });
    });
    await phone.sendTextMessage(roomId, TEXT);
    await within('the backup', backedUp);
    phone.stopClient();

    tablet = await start(await logIn(server.url, 'ann', 'ann has a secret'));
    const tabletCrypto = cryptoOf(tablet);
    await tabletCrypto.loadSessionBackupPrivateKeyFromSecretStorage();
    const check = await tabletCrypto.checkKeyBackupAndEnable();
    expect(check?.backupInfo.version).to.equal('1');
    expect(await tabletCrypto.restoreKeyBackup()).to.deep.include({ total: 1, imported: 1 });
    await eventually(tablet, 'the old message', () =>
      tablet
        .getRoom(roomId)
        ?.getLiveTimeline()
        .getEvents()
        .some((event) => event.getContent()['body'] === TEXT) === true
        ? true
        : null,
    );

    await tabletCrypto.resetKeyBackup();
    expect(await currentVersion()).to.deep.include({ version: '2' });
    const first = await http.get('/_matrix/client/v3/room_keys/version/1');
    expect(first.status, 'the old one is deleted').to.equal(404);
  });
});
