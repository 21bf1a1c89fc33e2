import type { MatrixClient, MatrixEvent, Room } from 'matrix-js-sdk';
import {
  CryptoEvent,
  type CryptoApi,
  type GeneratedSecretStorageKey,
  VerificationPhase,
  type VerificationRequest,
  VerificationRequestEvent,
  type Verifier,
  VerifierEvent,
} from 'matrix-js-sdk/lib/crypto-api/index.js';
import { clientOf, eventually, type Session, startSyncing, within } from './sdk-client.ts';
import { eventually as eventuallyTrue } from './person.ts';
import { startTroupe, type TroupeProcess } from './troupe-process.ts';

/** What makes a room an encrypted one from its first event on. */
export const ENCRYPTED = {
  type: 'm.room.encryption',
  state_key: '',
  content: { algorithm: 'm.megolm.v1.aes-sha2' },
} as const;

/** The encryption of a client that has it. */
export function cryptoOf(client: MatrixClient): CryptoApi {
  const crypto = client.getCrypto();
  if (crypto === undefined) throw new Error('there is no crypto');
  return crypto;
}

/**
 * A client that encrypts, and has synced once.
 *
 * @param recoveryKey what its user has on paper, as of when it is asked for
 */
export async function startEncrypting(
  baseUrl: string,
  session: Session,
  recoveryKey: () => GeneratedSecretStorageKey | undefined = () => undefined,
): Promise<MatrixClient> {
  const client = clientOf(baseUrl, session, {
    getSecretStorageKey: ({ keys }) => {
      const [keyId] = Object.keys(keys);
      const known = recoveryKey();
      return Promise.resolve(
        keyId === undefined || known === undefined ? null : [keyId, new Uint8Array(known.privateKey)],
      );
    },
  });
  await client.initRustCrypto({ useIndexedDB: false });
  await startSyncing(client);
  return client;
}

/** Ends a server without a word of warning and starts it again at the same address, over the same data; its clients come back at once. */
export async function killAndRestart(
  server: TroupeProcess,
  gateways: number,
  clients: readonly (MatrixClient | undefined)[] = [],
): Promise<TroupeProcess> {
  await server.kill();
  const { host } = new URL(server.url);
  const environment = { TROUPE_SERVER_LISTEN: host };
  const restarted = await startTroupe({ gateways, folder: server.folder, environment });
  for (const client of clients) client?.retryImmediately();
  return restarted;
}

/** Makes cross-signing keys, the first of their user. */
export function signAcross(client: MatrixClient): Promise<void> {
  return cryptoOf(client).bootstrapCrossSigning({
    authUploadDeviceSigningKeys: (upload) => upload(null).then(() => undefined),
  });
}

/** A room that a client knows. */
export function roomOf(client: MatrixClient, roomId: string): Room {
  const room = client.getRoom(roomId);
  if (room === null) throw new Error(`${client.getUserId()} does not know ${roomId}`);
  return room;
}

/** Waits until a client has read an encrypted message, and gives it. */
export function hears(client: MatrixClient, roomId: string, text: string): Promise<MatrixEvent> {
  return eventually(client, `${client.getDeviceId()} hearing "${text}"`, () =>
    client
      .getRoom(roomId)
      ?.getLiveTimeline()
      .getEvents()
      .find(
        (event) =>
          event.getContent()['body'] === text &&
          event.getWireType() === 'm.room.encrypted' &&
          !event.isDecryptionFailure(),
      ),
  );
}

/** The session that an event was encrypted with. */
export function sessionOf(event: MatrixEvent): string {
  return String(event.getWireContent()['session_id']);
}

/** Looks after every emitted event of a name, and once before. */
async function until(
  emitter: { on(name: string, heard: () => void): unknown; off(name: string, heard: () => void): unknown },
  name: string,
  what: string,
  look: () => boolean,
): Promise<void> {
  let wake = (): void => undefined;
  const heard = (): void => wake();
  emitter.on(name, heard);
  const wait = async (): Promise<void> => {
    const woken = new Promise<void>((resolve) => (wake = resolve));
    if (look()) return;
    await woken;
    await wait();
  };
  try {
    await within(what, wait());
  } finally {
    emitter.off(name, heard);
  }
}

/** Waits until a client has been told of a device and has asked for its keys. */
export async function knowsDevice(client: MatrixClient, userId: string, deviceId: string): Promise<void> {
  await eventuallyTrue(`${deviceId} being known`, async () => {
    const devices = await cryptoOf(client).getUserDeviceInfo([userId]);
    return devices.get(userId)?.has(deviceId) === true;
  });
}

/** Two sides of one verification, both of them ready. */
export interface Verification {
  readonly asking: VerificationRequest;
  readonly asked: VerificationRequest;
}

function reaches(request: VerificationRequest, phase: VerificationPhase): Promise<void> {
  const emitter = request as unknown as Parameters<typeof until>[0];
  const what = `a verification being ${VerificationPhase[phase]}`;
  return until(emitter, VerificationRequestEvent.Change, what, () => request.phase >= phase);
}

/** One client asks, the other says yes. */
export async function beginVerification(
  asked: MatrixClient,
  ask: () => Promise<VerificationRequest>,
): Promise<Verification> {
  const received = new Promise<VerificationRequest>((resolve) => {
    asked.once(CryptoEvent.VerificationRequestReceived, resolve);
  });
  const asking = await ask();
  const request = await within('the request', received);
  await request.accept();
  await Promise.all([reaches(asking, VerificationPhase.Ready), reaches(request, VerificationPhase.Ready)]);
  return { asking, asked: request };
}

/** Verifies and, once both show the same, says so; gives what was shown. */
async function compare(
  verifier: Verifier,
  seen: (shown: readonly number[]) => Promise<boolean>,
): Promise<void> {
  const emitter = verifier as unknown as Parameters<typeof until>[0];
  const verified = verifier.verify();
  await until(emitter, VerifierEvent.ShowSas, 'the numbers', () => verifier.getShowSasCallbacks() !== null);
  const callbacks = verifier.getShowSasCallbacks();
  if (callbacks === null) throw new Error('there is nothing to compare');
  if (!(await seen(callbacks.sas.decimal ?? []))) throw new Error('the numbers are not the same');
  await callbacks.confirm();
  await verified;
}

/** Both sides compare what they are shown. Client-Server API v1.19, "Short Authentication String (SAS) verification". */
export async function verifyBySas({ asking, asked }: Verification): Promise<void> {
  const first = await asking.startVerification('m.sas.v1');
  await reaches(asked, VerificationPhase.Started);
  const second = asked.verifier;
  if (second === undefined) throw new Error('the other side has not started');
  const shown: string[] = [];
  const both = Promise.withResolvers<boolean>();
  const seen = (numbers: readonly number[]): Promise<boolean> => {
    shown.push(numbers.join(' '));
    if (shown.length === 2) both.resolve(shown[0] === shown[1] && numbers.length === 3);
    return both.promise;
  };
  await within('the comparison', Promise.all([compare(first, seen), compare(second, seen)]));
}

/** One side scans what the other shows. Client-Server API v1.19, "QR codes". */
export async function verifyByScan({ asking, asked }: Verification): Promise<void> {
  const code = await asked.generateQRCode();
  if (code === undefined) throw new Error('there is no code to scan');
  const scanner = await asking.scanQRCode(code);
  const scanned = scanner.verify();
  await reaches(asked, VerificationPhase.Started);
  const shower = asked.verifier;
  if (shower === undefined) throw new Error('nobody has scanned');
  const emitter = shower as unknown as Parameters<typeof until>[0];
  const shown = shower.verify();
  await until(
    emitter,
    VerifierEvent.ShowReciprocateQr,
    'the scan',
    () => shower.getReciprocateQrCodeCallbacks() !== null,
  );
  shower.getReciprocateQrCodeCallbacks()?.confirm();
  await within('the scan being confirmed', Promise.all([scanned, shown]));
}
