import {
  oneTimeKeyCounts,
  readOneTimeKeyCounts,
  readUnusedFallbackAlgorithms,
  unusedFallbackAlgorithms,
} from '../../../db/keys/reader.ts';
import { defineCache } from '../../streams/cache.ts';

const DEVICES_MAX = 20_000;

/** What the server holds of a device's one-time and fallback keys, as JSON texts. */
export interface KeySupply {
  /** Counts by algorithm. */
  readonly countsText: string;
  /** A list of algorithms. */
  readonly unusedFallbackText: string;
}

/** The key of a device: user ids have no space. */
export function keySupplyKey(userId: string, deviceId: string): string {
  return `${userId} ${deviceId}`;
}

/** Device → how many of its one-time keys are left, and which of its fallback keys are unused. */
export const keySupplyCache = defineCache<string, KeySupply>({
  name: 'key-supply',
  sizeMax: DEVICES_MAX,
  async load(db, key) {
    const space = key.indexOf(' ');
    const [userId, deviceId] = [key.slice(0, space), key.slice(space + 1)];
    return {
      countsText: JSON.stringify(await readOneTimeKeyCounts(db, userId, deviceId)),
      unusedFallbackText: JSON.stringify(await readUnusedFallbackAlgorithms(db, userId, deviceId)),
    };
  },
  reads: [oneTimeKeyCounts, unusedFallbackAlgorithms],
  dependsOn: { 'one-time-keys': ({ userId, deviceId }) => [keySupplyKey(userId, deviceId)] },
});
