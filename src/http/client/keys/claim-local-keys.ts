import type { Claim, HandedOutKey } from '../../../../db/keys/reader.ts';
import type { Json, JsonObject } from '../../../kit/json.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import type { Services } from '../../kit/services.ts';

/** Keys that were handed out: by user id and device id, `<algorithm>:<key id>` → key. */
export interface ClaimedKeys {
  readonly kind: 'claimed';
  readonly keys: Readonly<Record<string, Readonly<Record<string, JsonObject>>>>;
}

function entryOf({ deviceId, algorithm, keyId, key }: Claim & HandedOutKey): [string, JsonObject] {
  return [deviceId, { [`${algorithm}:${keyId}`]: JSON.parse(key) as Json }];
}

/**
 * Hands out one key of each of the named devices of this server, to whomever: each key once.
 *
 * @param wanted algorithms by user id and device id
 * @returns the keys of those that have one; refused when storage cannot be written
 */
export async function claimLocalKeys(
  services: Pick<Services, 'keys' | 'streams'>,
  wanted: ReadonlyMap<string, Readonly<Record<string, string>>>,
): Promise<ClaimedKeys | Refusal> {
  const claims = [...wanted].flatMap(([userId, byDevice]) =>
    Object.entries(byDevice).map(([deviceId, algorithm]) => ({ userId, deviceId, algorithm })),
  );
  if (claims.length === 0) return { kind: 'claimed', keys: {} };
  const claimed = await services.keys.ask('keys.claim', { claims });
  if (isRefusal(claimed)) return claimed;
  await seeOwnEffects(services.streams, claimed.marks);
  const byUser = Map.groupBy(claimed.keys, ({ userId }) => userId);
  const keys = [...byUser].map(([userId, ofUser]) => [userId, Object.fromEntries(ofUser.map(entryOf))]);
  return { kind: 'claimed', keys: Object.fromEntries(keys) as ClaimedKeys['keys'] };
}
