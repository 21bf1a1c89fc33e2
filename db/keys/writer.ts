import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { replaceCountChange } from './one-time-key-writer.ts';
import type { KeyUsage, StoredSignature } from './reader.ts';

type OneDevice = { readonly userId: string; readonly deviceId: string };
type OneUser = { readonly userId: string };

/** The refusal of {@link requireDevice}. */
export const NO_SUCH_DEVICE = 'no-such-device';

/** A row when a device exists. */
export const existingDevice = defineQuery<OneDevice, { readonly found: number }>({
  name: 'keys.find-device',
  sql: 'SELECT 1 AS found FROM devices WHERE user_id = :userId AND device_id = :deviceId',
});

/** The guard of what a device stores: one that is logged out meanwhile leaves nothing behind for a later one of its id. */
export function requireDevice(device: OneDevice): WriteStep {
  return step(existingDevice, device, { expectChanges: 1, refusal: NO_SUCH_DEVICE });
}

/** Stores the keys of a device. */
export const replaceDeviceKeys = defineQuery<OneDevice & { readonly keys: string }>({
  name: 'keys.replace-device-keys',
  sql: 'INSERT OR REPLACE INTO device_keys (user_id, device_id, keys) VALUES (:userId, :deviceId, :keys)',
});

/** Notes that others have not been told of a change. */
export const insertUnannounced = defineQuery<OneDevice>({
  name: 'keys.insert-unannounced',
  sql: 'INSERT OR IGNORE INTO unannounced_key_changes (user_id, device_id) VALUES (:userId, :deviceId)',
});

/** Others have been told. */
export const deleteUnannounced = defineQuery<OneDevice>({
  name: 'keys.delete-unannounced',
  sql: 'DELETE FROM unannounced_key_changes WHERE user_id = :userId AND device_id = :deviceId',
});

/** Users with changes that were not announced. */
export const unannouncedUsers = defineQuery<{ readonly limit: number }, OneUser>({
  name: 'keys.read-unannounced-users',
  // Every user id begins with '@': the comparison makes this a look into the index.
  sql: `SELECT DISTINCT user_id AS userId FROM unannounced_key_changes WHERE user_id >= '@' LIMIT :limit`,
});

/** What was not announced of a user. */
export const unannouncedChanges = defineQuery<OneUser, { readonly deviceId: string }>({
  name: 'keys.read-unannounced',
  sql: 'SELECT device_id AS deviceId FROM unannounced_key_changes WHERE user_id = :userId',
});

/**
 * The steps that note what is to be announced, in the write of the change itself.
 *
 * @param deviceIds of devices, or public keys of cross-signing keys
 */
export function noteUnannounced(userId: string, deviceIds: readonly string[]): readonly WriteStep[] {
  return deviceIds.map((deviceId) => step(insertUnannounced, { userId, deviceId }));
}

/** The steps that forget what was announced. */
export function forgetUnannounced(userId: string, deviceIds: readonly string[]): readonly WriteStep[] {
  return deviceIds.map((deviceId) => step(deleteUnannounced, { userId, deviceId }));
}

/** The steps that store the keys of a device. */
export function storeDeviceKeys(device: OneDevice, keys: string): readonly WriteStep[] {
  return [step(replaceDeviceKeys, { ...device, keys }), ...noteUnannounced(device.userId, [device.deviceId])];
}

export const deleteDeviceKeys = defineQuery<OneDevice>({
  name: 'keys.delete-device-keys',
  sql: 'DELETE FROM device_keys WHERE user_id = :userId AND device_id = :deviceId',
});
export const deleteOneTimeKeys = defineQuery<OneDevice>({
  name: 'keys.delete-one-time-keys',
  sql: 'DELETE FROM one_time_keys WHERE user_id = :userId AND device_id = :deviceId',
});
export const deleteFallbackKeys = defineQuery<OneDevice>({
  name: 'keys.delete-fallback-keys',
  sql: 'DELETE FROM fallback_keys WHERE user_id = :userId AND device_id = :deviceId',
});
export const deleteSignaturesOn = defineQuery<OneUser & { readonly keyId: string }>({
  name: 'keys.delete-signatures-on',
  sql: `
    DELETE FROM key_signatures
     WHERE target_user_id = :userId AND signer_user_id = :userId AND target_key_id = :keyId`,
});
export const deleteForeignSignaturesOn = defineQuery<OneUser & { readonly keyId: string }>({
  name: 'keys.delete-foreign-signatures-on',
  sql: 'DELETE FROM key_signatures WHERE target_user_id = :userId AND target_key_id = :keyId',
});
export const deleteSignaturesBy = defineQuery<OneUser & { readonly keyId: string }>({
  name: 'keys.delete-signatures-by',
  sql: 'DELETE FROM key_signatures WHERE signer_user_id = :userId AND signer_key_id = :keyId',
});

/** With its algorithm, as signatures name the key that made them. */
function signerKeyId(keyId: string): string {
  return `ed25519:${keyId}`;
}

/** Positions for which the stream remembers that the keys of a device went with it: who follows it is never that far behind. */
export const DEPARTED_POSITIONS_KEPT = 10_000;

/** Forgets where the keys of devices changed that a user has no more; otherwise each login would leave a row for ever. */
export const pruneCountChanges = defineQuery<OneUser & { readonly kept: number; readonly position: number }>({
  name: 'keys.prune-count-changes',
  sql: `
    DELETE FROM key_count_changes
     WHERE user_id = :userId AND stream_id <= :position - :kept
       AND NOT EXISTS (SELECT 1 FROM devices d
                        WHERE d.user_id = key_count_changes.user_id AND d.device_id = key_count_changes.device_id)`,
});

/** The steps that delete all keys of devices, with the signatures on and by them: one position for each device. */
export function deleteDevices(
  userId: string,
  deviceIds: readonly string[],
  kept = DEPARTED_POSITIONS_KEPT,
): readonly WriteStep[] {
  const deletions = deviceIds.flatMap((deviceId, index) => [
    step(replaceCountChange, { userId, deviceId }, { positionOffset: index }),
    step(deleteDeviceKeys, { userId, deviceId }),
    step(deleteOneTimeKeys, { userId, deviceId }),
    step(deleteFallbackKeys, { userId, deviceId }),
    step(deleteSignaturesOn, { userId, keyId: deviceId }),
    step(deleteSignaturesBy, { userId, keyId: signerKeyId(deviceId) }),
  ]);
  return [...deletions, step(pruneCountChanges, { userId, kept }, { positionOffset: 0 })];
}

export const devicesWithKeys = defineQuery<
  OneUser & { readonly deviceIds: string },
  { readonly deviceId: string }
>({
  name: 'keys.find-devices-with-keys',
  sql: `
    SELECT wanted.value AS deviceId
      FROM json_each(:deviceIds) wanted
     WHERE EXISTS (SELECT 1 FROM device_keys k WHERE k.user_id = :userId AND k.device_id = wanted.value)
        OR EXISTS (SELECT 1 FROM one_time_keys o WHERE o.user_id = :userId AND o.device_id = wanted.value)
        OR EXISTS (SELECT 1 FROM fallback_keys f WHERE f.user_id = :userId AND f.device_id = wanted.value)`,
});

/** Notes on the keys stream that a user signed something. */
export const replaceSignatureChange = defineQuery<
  OneUser & { readonly targetUserId: string; readonly position: number }
>({
  name: 'keys.replace-signature-change',
  sql: `
    INSERT OR REPLACE INTO signature_changes (user_id, target_user_id, stream_id)
    VALUES (:userId, :targetUserId, :position)`,
});

export const replaceSignature = defineQuery<StoredSignature>({
  name: 'keys.replace-signature',
  sql: `
    INSERT OR REPLACE INTO key_signatures (target_user_id, signer_user_id, target_key_id, signer_key_id, signature)
    VALUES (:targetUserId, :signerUserId, :targetKeyId, :signerKeyId, :signature)`,
});

/** The steps that store signatures: the target at `index` takes the position at offset `index`. */
export function storeSignatures(
  signerUserId: string,
  targetUserIds: readonly string[],
  signatures: readonly StoredSignature[],
): readonly WriteStep[] {
  return [
    ...targetUserIds.map((targetUserId, index) =>
      step(replaceSignatureChange, { userId: signerUserId, targetUserId }, { positionOffset: index }),
    ),
    ...signatures.map((signature) => step(replaceSignature, signature)),
  ];
}

export const replaceCrossSigningKey = defineQuery<
  OneUser & { readonly usage: KeyUsage; readonly publicKey: string; readonly key: string }
>({
  name: 'keys.replace-cross-signing-key',
  sql: `
    INSERT OR REPLACE INTO cross_signing_keys (user_id, usage, public_key, key)
    VALUES (:userId, :usage, :publicKey, :key)`,
});

/** A cross-signing key that takes the place of another. */
export interface NewCrossSigningKey {
  readonly usage: KeyUsage;
  readonly publicKey: string;
  /** Canonical JSON text. */
  readonly key: string;
  /** The public key before; null when there was none, or when it is the same. */
  readonly replaced: string | null;
}

/** The steps that store cross-signing keys; what the keys before them signed, and what signed those, goes. */
export function storeCrossSigningKeys(
  userId: string,
  keys: readonly NewCrossSigningKey[],
): readonly WriteStep[] {
  return keys.flatMap(({ usage, publicKey, key, replaced }) => [
    step(replaceCrossSigningKey, { userId, usage, publicKey, key }),
    ...(replaced === null
      ? []
      : [
          step(deleteForeignSignaturesOn, { userId, keyId: replaced }),
          step(deleteSignaturesBy, { userId, keyId: signerKeyId(replaced) }),
        ]),
  ]);
}

export const deleteCrossSigningKey = defineQuery<OneUser & { readonly usage: KeyUsage }>({
  name: 'keys.delete-cross-signing-key',
  sql: 'DELETE FROM cross_signing_keys WHERE user_id = :userId AND usage = :usage',
});

/** The steps that delete cross-signing keys, with what they signed. */
export function dropCrossSigningKeys(
  userId: string,
  keys: readonly { readonly usage: KeyUsage; readonly publicKey: string }[],
): readonly WriteStep[] {
  return keys.flatMap(({ usage, publicKey }) => [
    step(deleteCrossSigningKey, { userId, usage }),
    step(deleteSignaturesBy, { userId, keyId: signerKeyId(publicKey) }),
  ]);
}

export const deleteCrossSigningKeysOf = defineQuery<OneUser>({
  name: 'keys.delete-cross-signing-keys',
  sql: 'DELETE FROM cross_signing_keys WHERE user_id = :userId',
});
export const deleteAllSignaturesOn = defineQuery<OneUser>({
  name: 'keys.delete-all-signatures-on',
  sql: 'DELETE FROM key_signatures WHERE target_user_id = :userId',
});
export const deleteAllSignaturesBy = defineQuery<OneUser>({
  name: 'keys.delete-all-signatures-by',
  sql: 'DELETE FROM key_signatures WHERE signer_user_id = :userId',
});
export const deleteSignatureChanges = defineQuery<OneUser>({
  name: 'keys.delete-signature-changes',
  sql: 'DELETE FROM signature_changes WHERE user_id = :userId',
});

/** The steps that delete what is held of a user beside its devices: it never comes back, and nobody asks what it has signed. */
export function forgetUser(userId: string): readonly WriteStep[] {
  return [
    step(deleteCrossSigningKeysOf, { userId }),
    step(deleteAllSignaturesOn, { userId }),
    step(deleteAllSignaturesBy, { userId }),
    step(deleteSignatureChanges, { userId }),
  ];
}
