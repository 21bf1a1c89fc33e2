import { hashAccessToken } from '../../db/accounts/token-hash.ts';
import type { DeviceTokens } from '../../db/accounts/token-writer.ts';
import type { TroupeContext } from '../environment.ts';
import type { LoggedIn } from './protocol.ts';
import { makeAccessToken, makeRefreshToken } from './secrets.ts';

/** New tokens of a device: what is stored of them, and what its client gets. */
export interface MadeTokens {
  readonly stored: DeviceTokens;
  readonly given: Pick<LoggedIn, 'accessToken' | 'refreshToken' | 'expiresInMs'>;
}

/** Makes an access token and, for a client that can refresh, a refresh token; only then does the access token end by itself. */
export function makeDeviceTokens(
  context: Pick<TroupeContext, 'clock' | 'random' | 'env'>,
  isRefreshable: boolean,
): MadeTokens {
  const { clock, random, env } = context;
  const accessToken = makeAccessToken(random);
  const tokenHash = hashAccessToken(accessToken);
  if (!isRefreshable) {
    return {
      stored: { tokenHash, expiresTs: null, refreshHash: null },
      given: { accessToken, refreshToken: null, expiresInMs: null },
    };
  }
  const refreshToken = makeRefreshToken(random);
  const expiresInMs = env.config.accounts.accessTokenLifetimeMs;
  return {
    stored: {
      tokenHash,
      expiresTs: clock.now() + expiresInMs,
      refreshHash: hashAccessToken(refreshToken),
    },
    given: { accessToken, refreshToken, expiresInMs },
  };
}
