import { findDeviceIds } from '../../db/accounts/reader.ts';
import {
  type KeyUsage,
  readCrossSigningKeys,
  readDeviceKeys,
  type StoredCrossSigningKey,
  type StoredSignature,
} from '../../db/keys/reader.ts';
import type { KeysRow } from '../../db/keys/stream-reader.ts';
import { dropCrossSigningKeys, storeCrossSigningKeys } from '../../db/keys/writer.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { canonicalJsonWithout } from '../../src/matrix/events/canonical-json.ts';
import { verifyKeyOfCrossSigning } from '../../src/matrix/keys/cross-signing-keys.ts';
import { isSameButSignatures, signingKeyOfDevice } from '../../src/matrix/keys/device-keys.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { signatureOf, signingKeyIdsOf, verifyJson } from '../../src/matrix/signing.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import type { Announcer } from './announcer.ts';
import type { KeysProtocol, UploadedCrossSigningKey } from './protocol.ts';
import { storeSigningChange } from './store-signatures.ts';

type Store = InputOf<KeysProtocol, 'keys.store-cross-signing'>;
type Stored = OutputOf<KeysProtocol, 'keys.store-cross-signing'>;

const SIGNATURES: ReadonlySet<string> = new Set(['signatures']);
/** Everybody is to know of them; a user-signing key is its owner's business. */
const PUBLIC_USAGES: ReadonlySet<KeyUsage> = new Set<KeyUsage>(['master', 'self_signing']);

function parsed(text: string): JsonObject {
  return JSON.parse(text) as JsonObject;
}

/** Refuses keys that the master key has not signed. Client-Server API v1.19, "Cross-signing". */
function checkSignedByMaster(
  userId: string,
  masterKey: string,
  keys: readonly UploadedCrossSigningKey[],
): Refusal | undefined {
  const signer = verifyKeyOfCrossSigning(masterKey);
  const unsigned = keys.find(
    ({ usage, key }) => usage !== 'master' && !verifyJson(parsed(key), userId, signer),
  );
  return unsigned && refuse('M_INVALID_SIGNATURE', `${unsigned.usage}_key: is not signed by the master key`);
}

/** Key ids stand beside device ids in signatures: none may be mistaken for another. */
async function checkKeyIds(
  context: TroupeContext,
  userId: string,
  keys: readonly UploadedCrossSigningKey[],
): Promise<Refusal | undefined> {
  const ids = keys.map(({ publicKey }) => publicKey);
  if (new Set(ids).size < ids.length)
    return refuse('M_INVALID_PARAM', 'The same public key is given for several purposes.');
  const deviceIds = new Set(await findDeviceIds(context.env.db, userId));
  if (ids.some((id) => deviceIds.has(id))) return refuse('M_FORBIDDEN', 'Key ID in use');
  return undefined;
}

/** The signatures of the user's devices that a master key came with; those of unknown devices are passed over. */
async function readMasterSignatures(
  context: TroupeContext,
  userId: string,
  master: UploadedCrossSigningKey | undefined,
): Promise<readonly StoredSignature[] | Refusal> {
  if (master === undefined) return [];
  const object = parsed(master.key);
  const given = new Set(signingKeyIdsOf(object, userId));
  const signatures: StoredSignature[] = [];
  for (const { deviceId, keys } of given.size === 0 ? [] : await readDeviceKeys(context.env.db, [userId])) {
    const signer = signingKeyOfDevice(parsed(keys), deviceId);
    if (signer === undefined || !given.has(signer.keyId)) continue;
    const signature = signatureOf(object, userId, signer.keyId);
    if (signature === undefined || !verifyJson(object, userId, signer))
      return refuse('M_INVALID_SIGNATURE', `master_key.signatures: that of ${signer.keyId} is not valid`);
    signatures.push({
      targetUserId: userId,
      targetKeyId: master.publicKey,
      signerUserId: userId,
      signerKeyId: signer.keyId,
      signature,
    });
  }
  return signatures;
}

/** A master key is stored without signatures: they are kept where those stand that are added later. */
function storedText({ usage, key }: UploadedCrossSigningKey): string {
  const text = usage === 'master' ? canonicalJsonWithout(parsed(key), SIGNATURES) : key;
  if (text === undefined) throw new Error('what was canonical JSON is none any more');
  return text;
}

function stepsOf(
  userId: string,
  changed: readonly UploadedCrossSigningKey[],
  before: ReadonlyMap<KeyUsage, StoredCrossSigningKey>,
) {
  const isReset = changed.some(({ usage }) => usage === 'master');
  // A new master key has not signed the old ones: those that it does not bring along are worth nothing.
  const orphans = isReset
    ? [...before.values()].filter(({ usage }) => changed.every((key) => key.usage !== usage))
    : [];
  return [
    ...dropCrossSigningKeys(userId, orphans),
    ...storeCrossSigningKeys(
      userId,
      changed.map((key) => {
        const old = before.get(key.usage)?.publicKey ?? null;
        const replaced = old === key.publicKey ? null : old;
        return { usage: key.usage, publicKey: key.publicKey, key: storedText(key), replaced };
      }),
    ),
  ];
}

/** Handles `keys.store-cross-signing`, one of a user at a time. */
export async function storeCrossSigning(
  context: TroupeContext,
  owner: DurableStreamOwner<KeysRow>,
  announcer: Announcer,
  { userId, keys, isAuthorized }: Store,
): Promise<Stored> {
  const stored = await readCrossSigningKeys(context.env.db, [userId]);
  const before = new Map(stored.map((key) => [key.usage, key]));
  const master = keys.find(({ usage }) => usage === 'master');
  const masterKey = master?.publicKey ?? before.get('master')?.publicKey;
  if (masterKey === undefined)
    return refuse('M_MISSING_PARAM', 'master_key: is missing, and none was uploaded before');
  const changed = keys.filter(({ usage, key }) => {
    const old = before.get(usage);
    return old === undefined || !isSameButSignatures(parsed(old.key), parsed(key));
  });
  const refusal = checkSignedByMaster(userId, masterKey, keys) ?? (await checkKeyIds(context, userId, keys));
  if (refusal !== undefined) return refusal;
  if (changed.length === 0) return { kind: 'stored', marks: [] };
  if (before.has('master') && !isAuthorized) return { kind: 'not-authorized' };
  const signatures = await readMasterSignatures(context, userId, master);
  if (isRefusal(signatures)) return signatures;
  return storeSigningChange(context, owner, announcer, {
    userId,
    steps: stepsOf(userId, changed, before),
    signatures,
    targetUserIds: [userId],
    announced: changed.filter(({ usage }) => PUBLIC_USAGES.has(usage)).map(({ publicKey }) => publicKey),
  });
}
