import type { Clock } from '../../kit/clock.ts';
import { isRefusal, type Refusal } from '../../matrix/refusal.ts';
import type { Caches } from '../../streams/cache.ts';
import { accessTokenCache } from './access-token-cache.ts';
import { admitToken, type CalledEndpoint } from './authentication.ts';

/** Notices that the caller of a request that waits is not welcome any more: locked, deactivated, logged out. */
export interface CallerWatch {
  /** What the request is answered with in place of its own answer; null while the caller may go on. */
  readonly refusal: Refusal | null;
  close(): void;
}

/**
 * Begins to watch. Who was admitted before is looked at again at once, since something may have happened in between.
 *
 * @param end called once when the caller has to go: the request is to end its wait
 * @param fail called when it could not be looked at
 */
export function watchCaller(
  ground: { readonly cached: Caches; readonly clock: Clock },
  endpoint: CalledEndpoint,
  tokenHash: string,
  end: () => void,
  fail: (error: unknown) => void,
): CallerWatch {
  const { cached, clock } = ground;
  let refusal: Refusal | null = null;
  let isClosed = false;

  async function look(): Promise<void> {
    if (isClosed || refusal !== null) return;
    const admitted = await admitToken(endpoint, tokenHash, cached, clock.now());
    if (isClosed || refusal !== null || !isRefusal(admitted)) return;
    refusal = admitted;
    end();
  }

  // Not within the turn that drops entries: that one is to be short, however many wait.
  const lookSoon = (): void => void Promise.resolve().then(look).catch(fail);
  const unwatch = cached.watch(accessTokenCache, tokenHash, lookSoon);
  lookSoon();
  return {
    get refusal() {
      return refusal;
    },
    close() {
      isClosed = true;
      unwatch();
    },
  };
}
