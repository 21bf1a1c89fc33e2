import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { type Claim, type HandedOutKey, type NewKey, oneTimeKeyCounts } from './reader.ts';

type OneDevice = { readonly userId: string; readonly deviceId: string };
type OfAlgorithm = OneDevice & { readonly algorithm: string };

/** The refusals of the guards below. */
export type OneTimeKeyGuard = 'key-id-is-taken' | 'too-many-keys';

/** Unclaimed one-time keys of one device. Clients keep 50 to 100. */
export const ONE_TIME_KEYS_MAX = 1_000;
/** Algorithms for which one device may have fallback keys. */
export const FALLBACK_ALGORITHMS_MAX = 16;
/** Claimed keys of a device and algorithm that are remembered, so that an upload repeated after a lost answer does not bring them back. */
export const CLAIMED_KEYS_KEPT_MAX = 100;

/** Notes on the keys stream that the keys of a device changed. */
export const replaceCountChange = defineQuery<OneDevice & { readonly position: number }>({
  name: 'keys.replace-count-change',
  sql: `
    INSERT OR REPLACE INTO key_count_changes (user_id, device_id, stream_id)
    VALUES (:userId, :deviceId, :position)`,
});

/** The public key in the text of a one-time key, which is all that is kept of a claimed one. */
const publicKeyIn = (text: string): string => `coalesce(${text} ->> '$.key', ${text})`;

/** Ids that stand for another key already, claimed or not. */
export const contradictingKeys = defineQuery<
  OneDevice & { readonly keys: string },
  { readonly keyId: string }
>({
  name: 'keys.find-contradicting-keys',
  sql: `
    SELECT o.key_id AS keyId
      FROM json_each(:keys) new
     CROSS JOIN one_time_keys o
        ON o.user_id = :userId AND o.device_id = :deviceId
       AND o.algorithm = new.value ->> 'algorithm' AND o.key_id = new.value ->> 'keyId'
     WHERE (o.is_claimed = 0 AND o.key <> new.value ->> 'key')
        OR (o.is_claimed = 1 AND o.key NOT IN ('', ${publicKeyIn("(new.value ->> 'key')")}))`,
});

/** Stores keys in the order in which they come. Those that are there, claimed or not, stay as they are. */
export const insertOneTimeKeys = defineQuery<OneDevice & { readonly keys: string }>({
  name: 'keys.insert-one-time-keys',
  sql: `
    INSERT INTO one_time_keys (user_id, device_id, algorithm, key_id, key)
    SELECT :userId, :deviceId, new.value ->> 'algorithm', new.value ->> 'keyId', new.value ->> 'key'
      FROM json_each(:keys) new
     WHERE true
    ON CONFLICT (user_id, device_id, algorithm, key_id) DO NOTHING`,
});

/** A row when a device has more unclaimed keys than it may. */
export const excessOfKeys = defineQuery<OneDevice & { readonly most: number }, { readonly count: number }>({
  name: 'keys.find-excess-of-one-time-keys',
  sql: `
    SELECT count(*) AS count FROM one_time_keys
     WHERE user_id = :userId AND device_id = :deviceId AND is_claimed = 0
    HAVING count(*) > :most`,
});

/** Forgets all but the last claimed keys. */
export const forgetClaimedKeys = defineQuery<OfAlgorithm & { readonly kept: number }>({
  name: 'keys.forget-claimed-keys',
  sql: `
    DELETE FROM one_time_keys
     WHERE key_nid IN (
       SELECT key_nid FROM one_time_keys
        WHERE user_id = :userId AND device_id = :deviceId AND algorithm = :algorithm AND is_claimed = 1
        ORDER BY key_nid DESC LIMIT -1 OFFSET :kept)`,
});

/** A new fallback key takes the place of the one before; the same one again changes nothing. */
export const replaceFallbackKey = defineQuery<OfAlgorithm & { readonly keyId: string; readonly key: string }>(
  {
    name: 'keys.replace-fallback-key',
    sql: `
    INSERT INTO fallback_keys (user_id, device_id, algorithm, key_id, key)
    VALUES (:userId, :deviceId, :algorithm, :keyId, :key)
    ON CONFLICT (user_id, device_id, algorithm) DO UPDATE
       SET key_id = excluded.key_id, key = excluded.key, is_used = 0
     WHERE key_id <> excluded.key_id OR key <> excluded.key`,
  },
);

/** A row when a device has fallback keys for more algorithms than it may. */
export const excessOfFallbackKeys = defineQuery<
  OneDevice & { readonly most: number },
  { readonly count: number }
>({
  name: 'keys.find-excess-of-fallback-keys',
  sql: `
    SELECT count(*) AS count FROM fallback_keys
     WHERE user_id = :userId AND device_id = :deviceId
    HAVING count(*) > :most`,
});

/** The refusal of a set that would exceed a bound. */
const NOT_TOO_MANY = { expectChanges: 0, refusal: 'too-many-keys' satisfies OneTimeKeyGuard } as const;

/**
 * The steps that store one-time and fallback keys of a device: they take the position at offset 0, and the last one gives the counts by
 * algorithm. Guards: {@link OneTimeKeyGuard}.
 */
export function storeKeys(
  device: OneDevice,
  oneTimeKeys: readonly NewKey[],
  fallbackKeys: readonly NewKey[],
): readonly WriteStep[] {
  const keys = JSON.stringify(oneTimeKeys);
  const taken = { expectChanges: 0, refusal: 'key-id-is-taken' satisfies OneTimeKeyGuard };
  const algorithms = [...new Set(oneTimeKeys.map(({ algorithm }) => algorithm))];
  return [
    step(replaceCountChange, device, { positionOffset: 0 }),
    step(contradictingKeys, { ...device, keys }, taken),
    step(insertOneTimeKeys, { ...device, keys }),
    step(excessOfKeys, { ...device, most: ONE_TIME_KEYS_MAX }, NOT_TOO_MANY),
    ...algorithms.map((algorithm) =>
      step(forgetClaimedKeys, { ...device, algorithm, kept: CLAIMED_KEYS_KEPT_MAX }),
    ),
    ...fallbackKeys.map((key) => step(replaceFallbackKey, { ...device, ...key })),
    step(excessOfFallbackKeys, { ...device, most: FALLBACK_ALGORITHMS_MAX }, NOT_TOO_MANY),
    step(oneTimeKeyCounts, device, { returns: true }),
  ];
}

/** The fallback key of a device that has no other left: marked as used. */
export const useFallbackKey = defineQuery<OfAlgorithm, HandedOutKey>({
  name: 'keys.use-fallback-key',
  sql: `
    UPDATE fallback_keys SET is_used = 1
     WHERE user_id = :userId AND device_id = :deviceId AND algorithm = :algorithm
       AND NOT EXISTS (
         SELECT 1 FROM one_time_keys o
          WHERE o.user_id = :userId AND o.device_id = :deviceId AND o.algorithm = :algorithm AND o.is_claimed = 0)
    RETURNING key_id AS keyId, key`,
});

/** The one-time key that is next. */
export const nextOneTimeKey = defineQuery<OfAlgorithm, HandedOutKey>({
  name: 'keys.read-next-one-time-key',
  sql: `
    SELECT key_id AS keyId, key FROM one_time_keys
     WHERE user_id = :userId AND device_id = :deviceId AND algorithm = :algorithm AND is_claimed = 0
     ORDER BY key_nid LIMIT 1`,
});

/** Marks that same key as claimed, and keeps of it what tells another key under its id from it. */
export const claimNextKey = defineQuery<OfAlgorithm>({
  name: 'keys.claim-next-key',
  sql: `
    UPDATE one_time_keys SET is_claimed = 1, key = ${publicKeyIn('key')}
     WHERE key_nid = (
       SELECT key_nid FROM one_time_keys
        WHERE user_id = :userId AND device_id = :deviceId AND algorithm = :algorithm AND is_claimed = 0
        ORDER BY key_nid LIMIT 1)`,
});

/** Steps of {@link claimKeys} for one claim. */
export const STEPS_PER_CLAIM = 4;
const FALLBACK_STEP = 1;
const ONE_TIME_STEP = 2;

/**
 * The steps that hand out one key for each claim, {@link STEPS_PER_CLAIM} for each; the claim at `index` takes the position at offset `index`.
 * Read what they gave with {@link handedOut}.
 */
export function claimKeys(claims: readonly Claim[]): readonly WriteStep[] {
  return claims.flatMap(({ userId, deviceId, algorithm }, index) => [
    step(replaceCountChange, { userId, deviceId }, { positionOffset: index }),
    step(useFallbackKey, { userId, deviceId, algorithm }, { returns: true }),
    step(nextOneTimeKey, { userId, deviceId, algorithm }, { returns: true }),
    step(claimNextKey, { userId, deviceId, algorithm }),
  ]);
}

/**
 * The key that a claim got; undefined when there was none left.
 *
 * @param returned of the committed steps of {@link claimKeys}
 * @param index of the claim
 */
export function handedOut(
  returned: Readonly<Record<number, readonly unknown[]>>,
  index: number,
): HandedOutKey | undefined {
  const first = index * STEPS_PER_CLAIM;
  const [row] = [...(returned[first + ONE_TIME_STEP] ?? []), ...(returned[first + FALLBACK_STEP] ?? [])];
  return row as HandedOutKey | undefined;
}
