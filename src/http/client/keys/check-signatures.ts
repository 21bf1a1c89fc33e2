import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { readCrossSigningKeys, readDeviceKeys, type StoredSignature } from '../../../../db/keys/reader.ts';
import { publicKeysOf } from '../../../federation/queries/device-list.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { verifyKeyOfCrossSigning } from '../../../matrix/keys/cross-signing-keys.ts';
import { isSameButSignatures, signingKeyOfDevice } from '../../../matrix/keys/device-keys.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { signatureOf, type VerifyKey, verifyJson } from '../../../matrix/signing.ts';

/** Signed objects by user id and key id, as they are uploaded. */
export type SignedObjects = Readonly<Record<string, Readonly<Record<string, JsonObject>>>>;

/** The master keys of users of other servers, by user id. */
export type RemoteMasters = ReadonlyMap<string, JsonObject>;

/** What became of uploaded signatures. */
export interface CheckedSignatures {
  readonly valid: readonly StoredSignature[];
  /** Errors by user id and key id. */
  readonly failures: Readonly<Record<string, JsonObject>>;
}

/** Everything that uploaded signatures are compared with. */
interface KnownKeys {
  readonly signerUserId: string;
  /** Of the signer: the keys of its devices, by device id. */
  readonly devices: ReadonlyMap<string, JsonObject>;
  /** `<user id> <usage>` → public key and object. */
  readonly crossSigning: ReadonlyMap<string, { readonly publicKey: string; readonly object: JsonObject }>;
}

/** An object that may be signed, and by which keys. */
interface Target {
  readonly object: JsonObject;
  readonly signers: readonly VerifyKey[];
}

async function readKnownKeys(
  db: ReadDb,
  signerUserId: string,
  objects: SignedObjects,
  remoteMasters: RemoteMasters,
): Promise<KnownKeys> {
  const devices = await readDeviceKeys(db, [signerUserId]);
  const crossSigning = await readCrossSigningKeys(db, [...new Set([signerUserId, ...Object.keys(objects)])]);
  return {
    signerUserId,
    devices: new Map(devices.map(({ deviceId, keys }) => [deviceId, JSON.parse(keys) as JsonObject])),
    crossSigning: new Map([
      ...[...remoteMasters].flatMap(([userId, object]) =>
        publicKeysOf(object).map((publicKey) => [`${userId} master`, { publicKey, object }] as const),
      ),
      ...crossSigning.map(
        ({ userId, usage, publicKey, key }) =>
          [`${userId} ${usage}`, { publicKey, object: JSON.parse(key) as JsonObject }] as const,
      ),
    ]),
  };
}

/**
 * A user signs its own devices with the self-signing key, its own master key with its devices, and the master keys of others with the
 * user-signing key. Client-Server API v1.19, "Cross-signing".
 */
function findTarget(known: KnownKeys, targetUserId: string, keyId: string): Target | undefined {
  const { signerUserId, devices, crossSigning } = known;
  const signerOf = (usage: string): VerifyKey[] => {
    const key = crossSigning.get(`${signerUserId} ${usage}`);
    return key === undefined ? [] : [verifyKeyOfCrossSigning(key.publicKey)];
  };
  const isOwn = targetUserId === signerUserId;
  const device = isOwn ? devices.get(keyId) : undefined;
  if (device !== undefined) return { object: device, signers: signerOf('self_signing') };
  const master = crossSigning.get(`${targetUserId} master`);
  if (master?.publicKey !== keyId) return undefined;
  if (!isOwn) return { object: master.object, signers: signerOf('user_signing') };
  const signers = [...devices].map(([deviceId, keys]) => signingKeyOfDevice(keys, deviceId));
  return { object: master.object, signers: signers.filter((signer) => signer !== undefined) };
}

function checkOne(
  known: KnownKeys,
  targetUserId: string,
  targetKeyId: string,
  signed: JsonObject,
): readonly StoredSignature[] | Refusal {
  const target = findTarget(known, targetUserId, targetKeyId);
  if (target === undefined) return refuse('M_NOT_FOUND', 'There is no such key to be signed by you.');
  if (!isSameButSignatures(target.object, signed))
    return refuse('M_INVALID_SIGNATURE', 'This is not the key that was uploaded.');
  const { signerUserId } = known;
  const signatures: StoredSignature[] = [];
  for (const signer of target.signers) {
    const signature = signatureOf(signed, signerUserId, signer.keyId);
    if (signature === undefined) continue;
    if (!verifyJson(signed, signerUserId, signer))
      return refuse('M_INVALID_SIGNATURE', `The signature of ${signer.keyId} is not valid.`);
    signatures.push({ targetUserId, targetKeyId, signerUserId, signerKeyId: signer.keyId, signature });
  }
  if (signatures.length > 0) return signatures;
  return refuse('M_INVALID_SIGNATURE', 'There is no signature of a key that may sign this one.');
}

/**
 * Verifies uploaded signatures with the keys that are stored.
 * Client-Server API v1.19, `POST /_matrix/client/v3/keys/signatures/upload`.
 *
 * @param remoteMasters the keys of those of the users who are of other servers
 */
export async function checkSignatures(
  db: ReadDb,
  signerUserId: string,
  objects: SignedObjects,
  remoteMasters: RemoteMasters,
): Promise<CheckedSignatures> {
  const known = await readKnownKeys(db, signerUserId, objects, remoteMasters);
  const valid: StoredSignature[] = [];
  // Entries, not assignments: the names come from outside, and one of them may be "__proto__".
  const failures: [string, JsonObject][] = [];
  for (const [userId, byKey] of Object.entries(objects)) {
    const failed: [string, JsonObject][] = [];
    for (const [keyId, signed] of Object.entries(byKey)) {
      const checked = checkOne(known, userId, keyId, signed);
      if (!isRefusal(checked)) valid.push(...checked);
      else failed.push([keyId, { errcode: checked.errcode, error: checked.error }]);
    }
    if (failed.length > 0) failures.push([userId, Object.fromEntries(failed)]);
  }
  return { valid, failures: Object.fromEntries(failures) };
}
