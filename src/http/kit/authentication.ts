import type { IncomingMessage } from 'node:http';
import { hashAccessToken } from '../../../db/accounts/token-hash.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';
import type { Caches } from '../../streams/cache.ts';
import { accessTokenCache } from './access-token-cache.ts';
import type { Caller, EndpointAuth } from './endpoint.ts';
import type { QueryValues } from './percent-decoding.ts';

const BEARER = /^bearer +([^ ].*)$/i;

/**
 * The access token of a request: the `Authorization: Bearer` header, otherwise the `access_token` query parameter (deprecated, still
 * part of Client-Server API v1.19, "Using access tokens").
 */
export function findAccessTokenText(request: IncomingMessage, query: QueryValues): string | null {
  const header = request.headers.authorization;
  const bearer = header === undefined ? undefined : BEARER.exec(header)?.[1];
  if (bearer !== undefined) return bearer.trimEnd();
  const token = query.get('access_token')?.[0];
  return token === undefined || token === '' ? null : token;
}

/**
 * Finds out who is calling.
 *
 * @returns the caller; null for nobody, where that is allowed; or a refusal: 401 `M_MISSING_TOKEN`, 401 `M_UNKNOWN_TOKEN` (also for tokens of
 * deactivated accounts), 403 `M_FORBIDDEN` for who is not an administrator. Client-Server API v1.19, "Client authentication".
 */
export async function authenticate(
  auth: Exclude<EndpointAuth, 'none'>,
  request: IncomingMessage,
  query: QueryValues,
  cached: Caches,
): Promise<Caller | null | Refusal> {
  const token = findAccessTokenText(request, query);
  if (token === null)
    return auth === 'optional' ? null : refuse('M_MISSING_TOKEN', 'An access token is needed.');
  const tokenHash = hashAccessToken(token);
  const owner = await cached.get(accessTokenCache, tokenHash);
  if (owner === null)
    return refuse('M_UNKNOWN_TOKEN', 'The access token is not known.', { extra: { soft_logout: false } });
  if (auth === 'admin' && !owner.isAdmin)
    return refuse('M_FORBIDDEN', 'Only an administrator of this server may do that.');
  const { userId, deviceId, isAdmin, isGuest } = owner;
  return { userId, deviceId, isAdmin, isGuest, tokenHash };
}
