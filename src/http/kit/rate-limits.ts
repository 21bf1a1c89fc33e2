import { LRUCache } from 'lru-cache';
import type { Config, RateLimit, RateLimitClass } from '../../config/config.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Metrics } from '../../kit/metrics.ts';

/** How many buckets of one class a thread remembers; the one that was idle longest is forgotten, and so starts full again. */
export const RATE_LIMIT_KEYS_MAX = 20_000;

/** The longest wait that a client is told, in milliseconds. */
export const RETRY_AFTER_MS_MAX = 3_600_000;

/** Whose requests are counted together. */
export type RateLimitKeyKind = 'user' | 'address';

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/** The limits of one thread. */
export interface RateLimits {
  /**
   * Takes one token of the bucket of `key`.
   *
   * @returns null when there was one, otherwise after how many milliseconds there will be one
   */
  take(limitClass: RateLimitClass, kind: RateLimitKeyKind, key: string): number | null;
}

/** One gateway's share: it allows at least one request at once, so that small bursts do not become none. */
function shareOf(limit: RateLimit, gateways: number): RateLimit {
  return { perSecond: limit.perSecond / gateways, burst: Math.max(1, limit.burst / gateways) };
}

function waitMs(bucket: Bucket, limit: RateLimit): number {
  if (limit.perSecond <= 0) return RETRY_AFTER_MS_MAX;
  return Math.min(RETRY_AFTER_MS_MAX, Math.ceil(((1 - bucket.tokens) / limit.perSecond) * 1000));
}

/**
 * Token buckets per class and key, in the memory of one gateway thread.
 *
 * Every gateway counts for itself what it sees, and the kernel deals connections out evenly, so each gets an equal share of what
 * the configuration allows: its rate and burst divided by the number of gateways (at least one request at once). A client that
 * keeps to one connection is therefore held to that share. Each refusal counts in `http.rate-limited.<class>.<kind>`.
 *
 * Client-Server API v1.19, "Rate limiting".
 */
export function createRateLimits(config: Config, clock: Clock, metrics: Metrics): RateLimits {
  const gateways = Math.max(1, config.server.gateways);
  const tables = new Map<string, LRUCache<string, Bucket>>();

  const bucketOf = (table: string, key: string, limit: RateLimit): Bucket => {
    let buckets = tables.get(table);
    if (buckets === undefined) {
      buckets = new LRUCache({ max: RATE_LIMIT_KEYS_MAX });
      tables.set(table, buckets);
    }
    const now = clock.monotonic();
    const known = buckets.get(key);
    if (known === undefined) {
      const full = { tokens: limit.burst, filledAtMs: now };
      buckets.set(key, full);
      return full;
    }
    known.tokens = Math.min(limit.burst, known.tokens + ((now - known.filledAtMs) / 1000) * limit.perSecond);
    known.filledAtMs = now;
    return known;
  };

  return {
    take(limitClass, kind, key) {
      if (!config.rateLimits.enabled) return null;
      const limit = shareOf(config.rateLimits[limitClass], gateways);
      const bucket = bucketOf(`${limitClass}.${kind}`, key, limit);
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return null;
      }
      metrics.counter(`http.rate-limited.${limitClass}.${kind}`).add();
      return waitMs(bucket, limit);
    },
  };
}
