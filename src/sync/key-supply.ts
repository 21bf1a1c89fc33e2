import { hasCountChanged } from '../../db/keys/sync-reader.ts';
import { keysStream } from '../streams/keys-stream.ts';
import { type KeySupply, keySupplyCache, keySupplyKey } from './caches/key-supply.ts';
import type { SyncRange } from './sync-range.ts';
import type { ReadServices, SyncCaller } from './sync-services.ts';

const { name } = keysStream;

/**
 * What the server holds of the caller's one-time and fallback keys. Both are told in every answer: what is missing there says nothing.
 * Client-Server API v1.19, "Extensions to /sync" of end-to-end encryption.
 *
 * @returns `isNews`: keys came or were claimed within the range, so that a long poll is to end
 */
export async function readKeySupply(
  services: ReadServices,
  caller: SyncCaller,
  range: SyncRange,
): Promise<KeySupply & { readonly isNews: boolean }> {
  const { userId, deviceId } = caller;
  const supply = await services.cached.get(keySupplyCache, keySupplyKey(userId, deviceId));
  const [from, to] = [range.from(name), range.to(name)];
  const mayBeNews = from < to && services.streams.mayHaveChanged(name, `user:${userId}`, from);
  return { ...supply, isNews: mayBeNews && (await hasCountChanged(services.db, caller, from, to)) };
}
