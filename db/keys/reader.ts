import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What cross-signing keys are for. Client-Server API v1.19, "Cross-signing". */
export type KeyUsage = 'master' | 'self_signing' | 'user_signing';

/** The keys of a device that exists. */
export type StoredDeviceKeys = {
  readonly userId: string;
  readonly deviceId: string;
  /** JSON text, as it was signed. */
  readonly keys: string;
  readonly displayName: string | null;
};

/** One cross-signing key of a user. */
export type StoredCrossSigningKey = {
  readonly userId: string;
  readonly usage: KeyUsage;
  /** Unpadded base64. */
  readonly publicKey: string;
  /** JSON text; of a master key without signatures. */
  readonly key: string;
};

/** A signature that was added to a key. */
export type StoredSignature = {
  readonly targetUserId: string;
  /** A device id, or the public key of a master key. */
  readonly targetKeyId: string;
  readonly signerUserId: string;
  /** `ed25519:…` */
  readonly signerKeyId: string;
  readonly signature: string;
};

/** A one-time or fallback key of a device. */
export interface NewKey {
  readonly algorithm: string;
  /** What follows the algorithm and the colon. */
  readonly keyId: string;
  /** Canonical JSON text. */
  readonly key: string;
}

/** A device of which a key of an algorithm is wanted. */
export type Claim = { readonly userId: string; readonly deviceId: string; readonly algorithm: string };

/** A key that was handed out. */
export type HandedOutKey = { readonly keyId: string; readonly key: string };

type Users = { readonly userIds: string };
type OneDevice = { readonly userId: string; readonly deviceId: string };

export const deviceKeysOfUsers = defineQuery<Users, StoredDeviceKeys>({
  name: 'keys.read-device-keys',
  // The keys of a device that is gone may outlive it for a moment: nobody is to see them.
  sql: `
    SELECT k.user_id AS userId, k.device_id AS deviceId, k.keys AS keys, d.display_name AS displayName
      FROM json_each(:userIds) wanted
     CROSS JOIN device_keys k ON k.user_id = wanted.value
      JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id`,
});

/** The device keys of local users. */
export function readDeviceKeys(db: ReadDb, userIds: readonly string[]): Promise<StoredDeviceKeys[]> {
  return db.all(deviceKeysOfUsers, { userIds: JSON.stringify(userIds) });
}

export const keysOfDevice = defineQuery<OneDevice, { readonly keys: string }>({
  name: 'keys.find-device-keys',
  sql: 'SELECT keys FROM device_keys WHERE user_id = :userId AND device_id = :deviceId',
});

/** The JSON text of one device's keys. */
export async function findDeviceKeys(
  db: ReadDb,
  userId: string,
  deviceId: string,
): Promise<string | undefined> {
  return (await db.find(keysOfDevice, { userId, deviceId }))?.keys;
}

export const crossSigningKeysOfUsers = defineQuery<Users, StoredCrossSigningKey>({
  name: 'keys.read-cross-signing-keys',
  sql: `
    SELECT c.user_id AS userId, c.usage AS usage, c.public_key AS publicKey, c.key AS key
      FROM json_each(:userIds) wanted
     CROSS JOIN cross_signing_keys c ON c.user_id = wanted.value
      JOIN accounts a ON a.user_id = c.user_id AND a.deactivated_ts IS NULL`,
});

/** The cross-signing keys of local users; a deactivated account has none. */
export function readCrossSigningKeys(
  db: ReadDb,
  userIds: readonly string[],
): Promise<StoredCrossSigningKey[]> {
  return db.all(crossSigningKeysOfUsers, { userIds: JSON.stringify(userIds) });
}

export const signaturesOnKeys = defineQuery<Users & { readonly askedBy: string }, StoredSignature>({
  name: 'keys.read-signatures',
  sql: `
    SELECT s.target_user_id AS targetUserId, s.target_key_id AS targetKeyId, s.signer_user_id AS signerUserId,
           s.signer_key_id AS signerKeyId, s.signature AS signature
      FROM json_each(:userIds) wanted
     CROSS JOIN key_signatures s
        ON s.target_user_id = wanted.value AND s.signer_user_id IN (wanted.value, :askedBy)`,
});

/**
 * The signatures on the keys of users that `askedBy` may see: those of their owners, and its own. Signatures of user-signing keys tell who
 * has verified whom and are nobody else's business. Client-Server API v1.19, "Cross-signing", "Key and signature security".
 */
export function readSignatures(
  db: ReadDb,
  userIds: readonly string[],
  askedBy: string,
): Promise<StoredSignature[]> {
  return db.all(signaturesOnKeys, { userIds: JSON.stringify(userIds), askedBy });
}

export const oneTimeKeyCounts = defineQuery<
  OneDevice,
  { readonly algorithm: string; readonly count: number }
>({
  name: 'keys.count-one-time-keys',
  sql: `
    SELECT algorithm, sum(is_claimed = 0) AS count
      FROM one_time_keys
     WHERE user_id = :userId AND device_id = :deviceId
     GROUP BY algorithm`,
});

/** Every device that encrypts has keys of this algorithm: its count is told when it is 0, too, for clients take no word of it as no news. */
const USUAL_ALGORITHM = 'signed_curve25519';

/** Counts by algorithm, as clients get them. Client-Server API v1.19, "Extensions to /sync" of end-to-end encryption. */
export function countsByAlgorithm(
  rows: readonly { readonly algorithm: string; readonly count: number }[],
): Readonly<Record<string, number>> {
  const counts = rows.map(({ algorithm, count }): [string, number] => [algorithm, count]);
  return Object.fromEntries([[USUAL_ALGORITHM, 0], ...counts]);
}

/** How many one-time keys of a device nobody has claimed, by algorithm. */
export async function readOneTimeKeyCounts(
  db: ReadDb,
  userId: string,
  deviceId: string,
): Promise<Readonly<Record<string, number>>> {
  return countsByAlgorithm(await db.all(oneTimeKeyCounts, { userId, deviceId }));
}

export const unusedFallbackAlgorithms = defineQuery<OneDevice, { readonly algorithm: string }>({
  name: 'keys.read-unused-fallback-algorithms',
  sql: `
    SELECT algorithm FROM fallback_keys
     WHERE user_id = :userId AND device_id = :deviceId AND is_used = 0
     ORDER BY algorithm`,
});

/** The algorithms for which a device has a fallback key that nobody has been given. */
export async function readUnusedFallbackAlgorithms(
  db: ReadDb,
  userId: string,
  deviceId: string,
): Promise<string[]> {
  return (await db.all(unusedFallbackAlgorithms, { userId, deviceId })).map(({ algorithm }) => algorithm);
}

export const claimableDevices = defineQuery<{ readonly claims: string }, { readonly index: number }>({
  name: 'keys.find-claimable',
  sql: `
    SELECT wanted.key AS "index"
      FROM json_each(:claims) wanted
     CROSS JOIN devices d ON d.user_id = wanted.value ->> 'userId' AND d.device_id = wanted.value ->> 'deviceId'
     WHERE EXISTS (
         SELECT 1 FROM one_time_keys o
          WHERE o.user_id = d.user_id AND o.device_id = d.device_id
            AND o.algorithm = wanted.value ->> 'algorithm' AND o.is_claimed = 0)
        OR EXISTS (
         SELECT 1 FROM fallback_keys f
          WHERE f.user_id = d.user_id AND f.device_id = d.device_id AND f.algorithm = wanted.value ->> 'algorithm')`,
});

/** Those of `claims` whose devices exist and have a key to give. */
export async function findClaimable(db: ReadDb, claims: readonly Claim[]): Promise<readonly Claim[]> {
  const rows = await db.all(claimableDevices, { claims: JSON.stringify(claims) });
  return rows.map(({ index }) => claims[index]).filter((claim) => claim !== undefined);
}
