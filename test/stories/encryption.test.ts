import type { OlmMachine } from '@matrix-org/matrix-sdk-crypto-wasm';
import { expect } from 'chai';
import { type MatrixClient, Preset } from 'matrix-js-sdk';
import {
  beginVerification,
  cryptoOf,
  ENCRYPTED,
  hears,
  killAndRestart,
  knowsDevice,
  roomOf,
  sessionOf,
  signAcross,
  startEncrypting,
  verifyByScan,
  type Verification,
  verifyBySas,
} from '../support/encrypting-client.ts';
import { eventually as eventuallyTrue } from '../support/person.ts';
import { eventually, logIn, register } from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 120_000;
/** More than there are before somebody comes late. */
const HISTORY_EVENTS = 50;
const [ANN, BOB, CARL] = ['@ann:localhost', '@bob:localhost', '@carl:localhost'];

describe('people talk in secret', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  /** Both begun before the server dies. */
  let ofEachOther: Verification;
  let ofTablet: Verification;
  let ann: MatrixClient;
  let bob: MatrixClient;
  let tablet: MatrixClient;
  let carl: MatrixClient;
  let roomId: string;

  const says = async (
    client: MatrixClient,
    text: string,
    ...listeners: readonly MatrixClient[]
  ): Promise<string> => {
    await client.sendTextMessage(roomId, text);
    const heard = await Promise.all(listeners.map((listener) => hears(listener, roomId, text)));
    for (const event of heard) expect(JSON.stringify(event.event)).to.not.include(text);
    const sessions = new Set(heard.map(sessionOf));
    expect(sessions).to.have.property('size', 1);
    return [...sessions][0] ?? '';
  };
  const comes = async (client: MatrixClient, userId: string): Promise<void> => {
    await ann.invite(roomId, userId);
    await eventually(client, 'the invite', () => client.getRoom(roomId)?.getMyMembership() === 'invite');
  };
  const isIn = (client: MatrixClient, userId: string, membership = 'join') =>
    eventually(
      client,
      `${userId}: ${membership}`,
      () => client.getRoom(roomId)?.getMember(userId)?.membership === membership,
    );
  /** The signature of the one reaches the other devices of who signed by way of the server, as does what it says of them. */
  const haveVerified = (client: MatrixClient, userId: string) =>
    eventuallyTrue(`${client.getUserId()} having verified ${userId}`, async () =>
      (await cryptoOf(client).getUserVerificationStatus(userId)).isCrossSigningVerified(),
    );

  before(async () => {
    server = await startTroupe({ gateways: 1 });
    const names = ['ann', 'bob', 'carl'] as const;
    const clients = names.map(async (name) =>
      startEncrypting(server.url, await register(server.url, name, `${name} has a secret`)),
    );
    [ann, bob, carl] = (await Promise.all(clients)) as [MatrixClient, MatrixClient, MatrixClient];
    await Promise.all([ann, bob, carl].map(signAcross));
  });
  after(async () => {
    for (const client of [ann, bob, tablet, carl]) client?.stopClient();
    await server?.dispose();
  });

  it('in both directions, on a second device, and begin to verify each other', async () => {
    roomId = (await ann.createRoom({ preset: Preset.PrivateChat, initial_state: [ENCRYPTED] })).room_id;
    await comes(bob, BOB);
    await bob.joinRoom(roomId);
    await isIn(ann, BOB);
    await says(ann, 'where is the key', ann, bob);
    await says(bob, 'under the mat', ann, bob);
    tablet = await startEncrypting(server.url, await logIn(server.url, 'bob', 'bob has a secret'));
    const tabletId = tablet.getDeviceId() ?? '';
    await Promise.all([knowsDevice(ann, BOB, tabletId), knowsDevice(bob, BOB, tabletId)]);
    await says(ann, 'now on both', bob, tablet);
    ofEachOther = await beginVerification(bob, () => cryptoOf(ann).requestVerificationDM(BOB, roomId));
    ofTablet = await beginVerification(bob, () => cryptoOf(tablet).requestOwnUserVerification());
    await comes(carl, CARL);
  });

  it('compare numbers, in their room and from device to device, though the server has died meanwhile', async () => {
    server = await killAndRestart(server, 4, [ann, bob, tablet, carl]);
    await verifyBySas(ofEachOther);
    await verifyBySas(ofTablet);
    await Promise.all([haveVerified(ann, BOB), haveVerified(bob, ANN)]);
    await eventuallyTrue('the secrets on the tablet', async () => {
      const { privateKeysCachedLocally: cached } = await cryptoOf(tablet).getCrossSigningStatus();
      return cached.masterKey && cached.selfSigningKey && cached.userSigningKey;
    });
    await eventuallyTrue('the signature of the tablet', async () => {
      const status = await cryptoOf(ann).getDeviceVerificationStatus(BOB, tablet.getDeviceId() ?? '');
      return status?.crossSigningVerified;
    });
    await says(tablet, 'it is really me', ann, bob, tablet);
  });

  it('with who was invited before and is given the history', async () => {
    await carl.joinRoom(roomId);
    await isIn(carl, CARL);
    await carl.scrollback(roomOf(carl, roomId), HISTORY_EVENTS);
    await hears(carl, roomId, 'where is the key');
    await hears(carl, roomId, 'under the mat');
    await isIn(ann, CARL);
    await says(ann, 'welcome', bob, carl);
    await verifyByScan(
      await beginVerification(carl, () => cryptoOf(ann).requestVerificationDM(CARL, roomId)),
    );
    await Promise.all([haveVerified(ann, CARL), haveVerified(carl, ANN)]);
  });

  it('on a device that asks the other one for the keys of what was said before it came', async () => {
    // The package turns this off: a device that has no backup has no other way.
    const machine = Reflect.get(cryptoOf(tablet), 'olmMachine') as OlmMachine;
    machine.roomKeyRequestsEnabled = true;
    const old = roomOf(tablet, roomId)
      .getLiveTimeline()
      .getEvents()
      .filter((event) => event.isDecryptionFailure());
    expect(old.map(sessionOf), 'what was said before it came').to.not.equal([]);
    for (const event of old) await event.attemptDecryption(tablet.getCrypto() as never, { isRetry: true });
    // What its encryption has to send goes out after its next sync.
    await says(ann, 'do you not remember', tablet);
    await hears(tablet, roomId, 'where is the key');
    await hears(tablet, roomId, 'under the mat');
  });

  it('and no more with who has left', async () => {
    const before = await says(ann, 'are we all here', bob, carl);
    await carl.leave(roomId);
    await isIn(ann, CARL, 'leave');
    const after = await says(ann, 'alone at last', ann, bob);
    expect(after, 'a new session').to.not.equal(before);
    const known = (await cryptoOf(carl).exportRoomKeys()).map(({ session_id: id }) => id);
    expect(known).to.include(before).and.not.include(after);
    expect(roomOf(carl, roomId).getMyMembership()).to.equal('leave');
  });
});
