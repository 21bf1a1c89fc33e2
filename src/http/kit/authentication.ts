import type { IncomingMessage } from 'node:http';
import { hashAccessToken } from '../../../db/accounts/token-hash.ts';
import type { AccessTokenOwner } from '../../../db/accounts/reader.ts';
import { NO_GUESTS, TOKEN_EXPIRED, USER_LOCKED, USER_SUSPENDED } from '../../matrix/account-refusals.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';
import type { Caches } from '../../streams/cache.ts';
import { accessTokenCache } from './access-token-cache.ts';
import type { Caller, Endpoint, RestrictedCaller } from './endpoint.ts';
import type { QueryValues } from './percent-decoding.ts';

/** What an endpoint says of those who may call it. */
export type CalledEndpoint = Pick<Endpoint, 'auth' | 'method' | 'allows'>;

/** A caller who may call. */
export interface AdmittedCaller {
  readonly caller: Caller;
  /** The token came from a refresh and has not been used yet. */
  readonly isFirstUse: boolean;
}

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

/** Does an endpoint let a restricted caller in? */
function allows({ method, allows: allowed = [] }: CalledEndpoint, caller: RestrictedCaller): boolean {
  return allowed.includes(caller) || (caller === 'suspended' && method === 'GET');
}

/** What keeps the owner of a token from an endpoint; undefined when nothing does. */
function findObstacle(endpoint: CalledEndpoint, owner: AccessTokenOwner, now: number): Refusal | undefined {
  if (owner.isLocked && !allows(endpoint, 'locked')) return USER_LOCKED;
  if (owner.expiresTs !== null && owner.expiresTs <= now) return TOKEN_EXPIRED;
  if (endpoint.auth === 'admin' && !owner.isAdmin)
    return refuse('M_FORBIDDEN', 'Only an administrator of this server may do that.');
  if (owner.isGuest && !allows(endpoint, 'guest')) return NO_GUESTS;
  if (owner.isSuspended && !allows(endpoint, 'suspended')) return USER_SUSPENDED;
  return undefined;
}

/**
 * Finds out who holds a token, and whether this endpoint is for them.
 *
 * @param now milliseconds since the Unix epoch
 * @returns refusals as {@link authenticate}
 */
export async function admitToken(
  endpoint: CalledEndpoint,
  tokenHash: string,
  cached: Caches,
  now: number,
): Promise<AdmittedCaller | Refusal> {
  const owner = await cached.get(accessTokenCache, tokenHash);
  if (owner === null)
    return refuse('M_UNKNOWN_TOKEN', 'The access token is not known.', { extra: { soft_logout: false } });
  const obstacle = findObstacle(endpoint, owner, now);
  if (obstacle !== undefined) return obstacle;
  const { userId, deviceId, isAdmin, isGuest, isSuspended, isUnused } = owner;
  return { caller: { userId, deviceId, isAdmin, isGuest, isSuspended, tokenHash }, isFirstUse: isUnused };
}

/**
 * Finds out who is calling.
 *
 * @param now milliseconds since the Unix epoch
 * @returns the caller; null for nobody, where that is allowed; or a refusal: 401 `M_MISSING_TOKEN`, 401 `M_UNKNOWN_TOKEN` (also for tokens of
 * deactivated accounts; `soft_logout` for one that has expired), 401 `M_USER_LOCKED`, 403 `M_FORBIDDEN` for who is not an administrator, 403
 * `M_GUEST_ACCESS_FORBIDDEN`, 403 `M_USER_SUSPENDED`. Client-Server API v1.19, "Client authentication".
 */
export async function authenticate(
  endpoint: CalledEndpoint,
  request: IncomingMessage,
  query: QueryValues,
  cached: Caches,
  now: number,
): Promise<AdmittedCaller | null | Refusal> {
  const token = findAccessTokenText(request, query);
  if (token === null)
    return endpoint.auth === 'optional' ? null : refuse('M_MISSING_TOKEN', 'An access token is needed.');
  return admitToken(endpoint, hashAccessToken(token), cached, now);
}
