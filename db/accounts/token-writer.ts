import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type DeviceKey = { readonly userId: string; readonly deviceId: string };
type Hash = { readonly tokenHash: string };
type Revoked = { readonly tokenHash: string };

/** The refusals of the guards below. */
export type TokenGuard = 'refresh-token-is-used-up' | 'login-token-is-unknown';

/** What a device gets to prove who it is: hashes, and when they end. */
export interface DeviceTokens {
  readonly tokenHash: string;
  /** Milliseconds since the Unix epoch; null: never. */
  readonly expiresTs: number | null;
  /** Null: the access token cannot be refreshed. */
  readonly refreshHash: string | null;
}

export const insertToken = defineQuery<
  DeviceKey &
    Hash & {
      readonly now: number;
      readonly expiresTs: number | null;
      readonly refreshHash: string | null;
    }
>({
  name: 'accounts.insert-access-token',
  sql: `
    INSERT INTO access_tokens (token_hash, user_id, device_id, created_ts, expires_ts, refresh_hash)
    VALUES (:tokenHash, :userId, :deviceId, :now, :expiresTs, :refreshHash)`,
});

export const insertRefreshToken = defineQuery<
  DeviceKey & Hash & { readonly replacesHash: string | null; readonly now: number }
>({
  name: 'accounts.insert-refresh-token',
  sql: `
    INSERT INTO refresh_tokens (token_hash, user_id, device_id, replaces_hash, created_ts)
    VALUES (:tokenHash, :userId, :deviceId, :replacesHash, :now)`,
});

/**
 * Gives a device an access token and, where wanted, a refresh token.
 *
 * @param replacesHash the refresh token that is used up with the first use of these; null for a login
 */
export function giveTokens(
  device: DeviceKey,
  tokens: DeviceTokens,
  replacesHash: string | null,
  now: number,
): readonly WriteStep[] {
  const { userId, deviceId } = device;
  const { tokenHash, expiresTs, refreshHash } = tokens;
  const access = step(insertToken, { userId, deviceId, tokenHash, now, expiresTs, refreshHash });
  if (refreshHash === null) return [access];
  return [access, step(insertRefreshToken, { userId, deviceId, tokenHash: refreshHash, replacesHash, now })];
}

export const deleteRefreshTokens = defineQuery<DeviceKey>({
  name: 'accounts.delete-refresh-tokens',
  sql: 'DELETE FROM refresh_tokens WHERE user_id = :userId AND device_id = :deviceId',
});

/** Ends the refresh tokens of a device. */
export function revokeRefreshTokens({ userId, deviceId }: DeviceKey): readonly WriteStep[] {
  return [step(deleteRefreshTokens, { userId, deviceId })];
}

export const deleteOtherRefreshTokens = defineQuery<{ readonly userId: string; readonly keep: string }>({
  name: 'accounts.delete-other-refresh-tokens',
  sql: 'DELETE FROM refresh_tokens WHERE user_id = :userId AND device_id <> :keep',
});

/** Ends the refresh tokens of all devices of a user but one; no device has the empty id. */
export function revokeOtherRefreshTokens(userId: string, keep: string): readonly WriteStep[] {
  return [step(deleteOtherRefreshTokens, { userId, keep })];
}

export const requireUsable = defineQuery<Hash>({
  name: 'accounts.require-usable-refresh-token',
  sql: 'UPDATE refresh_tokens SET is_used_up = 0 WHERE token_hash = :tokenHash AND is_used_up = 0',
});

export const forgetUsedUp = defineQuery<DeviceKey & { readonly refreshHash: string }>({
  name: 'accounts.forget-used-up-refresh-tokens',
  sql: `
    DELETE FROM refresh_tokens
     WHERE user_id = :userId AND device_id = :deviceId AND is_used_up = 1
       AND (SELECT replaces_hash FROM refresh_tokens WHERE token_hash = :refreshHash) IS NOT NULL`,
});

export const useUpReplaced = defineQuery<{ readonly refreshHash: string }>({
  name: 'accounts.use-up-replaced-refresh-token',
  sql: `
    UPDATE refresh_tokens SET is_used_up = 1
     WHERE token_hash = (SELECT replaces_hash FROM refresh_tokens WHERE token_hash = :refreshHash)`,
});

export const markUsed = defineQuery<{ readonly refreshHash: string }>({
  name: 'accounts.mark-refresh-token-as-used',
  sql: 'UPDATE refresh_tokens SET replaces_hash = NULL WHERE token_hash = :refreshHash',
});

/** A refresh token, or its access token, was used: the one that it replaces is used up, and what was used up before is forgotten. */
function useFirst({ userId, deviceId }: DeviceKey, refreshHash: string): readonly WriteStep[] {
  return [
    step(forgetUsedUp, { userId, deviceId, refreshHash }),
    step(useUpReplaced, { refreshHash }),
    step(markUsed, { refreshHash }),
  ];
}

/** The first use of an access token that came from a refresh. */
export function noteFirstUse(device: DeviceKey, refreshHash: string): readonly WriteStep[] {
  return useFirst(device, refreshHash);
}

export const deleteSuccessors = defineQuery<DeviceKey & { readonly refreshHash: string }>({
  name: 'accounts.delete-successors-of-refresh-token',
  sql: `
    DELETE FROM refresh_tokens
     WHERE user_id = :userId AND device_id = :deviceId AND replaces_hash = :refreshHash`,
});

export const revokeOlderAccess = defineQuery<DeviceKey & { readonly refreshHash: string }, Revoked>({
  name: 'accounts.revoke-older-access-tokens',
  sql: `
    DELETE FROM access_tokens
     WHERE user_id = :userId AND device_id = :deviceId AND refresh_hash IS NOT :refreshHash
    RETURNING token_hash AS tokenHash`,
});

/**
 * Gives a device new tokens for a refresh token. The refresh token stays good until one of them is used; asked again before that, it gives
 * others in their place. Of access tokens those that came with the refresh token live on until they end by themselves, all others are
 * revoked. Revoked hashes come back from the step that returns rows. Guard: `refresh-token-is-used-up`.
 * Client-Server API v1.19, `POST /_matrix/client/v3/refresh`.
 */
export function refreshDevice(
  device: DeviceKey,
  refreshHash: string,
  tokens: DeviceTokens,
  now: number,
): readonly WriteStep[] {
  const { userId, deviceId } = device;
  const key = { userId, deviceId, refreshHash };
  const guard = { expectChanges: 1, refusal: 'refresh-token-is-used-up' satisfies TokenGuard };
  return [
    step(requireUsable, { tokenHash: refreshHash }, guard),
    ...useFirst(device, refreshHash),
    step(deleteSuccessors, key),
    step(revokeOlderAccess, key, { returns: true }),
    ...giveTokens(device, tokens, refreshHash, now),
  ];
}

/** What a token that passes from one program to another is for. */
export type PassingPurpose = 'login' | 'openid';

export const deleteEnded = defineQuery<{ readonly now: number }>({
  name: 'accounts.delete-ended-passing-tokens',
  sql: 'DELETE FROM passing_tokens WHERE expires_ts <= :now',
});

export const deleteSurplus = defineQuery<{
  readonly userId: string;
  readonly purpose: string;
  readonly keep: number;
}>({
  name: 'accounts.delete-surplus-passing-tokens',
  sql: `
    DELETE FROM passing_tokens
     WHERE token_hash IN (
       SELECT token_hash FROM passing_tokens WHERE user_id = :userId AND purpose = :purpose
        ORDER BY expires_ts DESC LIMIT -1 OFFSET :keep)`,
});

export const insertPassingToken = defineQuery<
  Hash & { readonly userId: string; readonly purpose: string; readonly expiresTs: number }
>({
  name: 'accounts.insert-passing-token',
  sql: `
    INSERT INTO passing_tokens (token_hash, purpose, user_id, expires_ts)
    VALUES (:tokenHash, :purpose, :userId, :expiresTs)`,
});

/** How many tokens of one purpose a user has at once; the one that ends first makes room. */
export const PASSING_TOKENS_PER_USER_MAX = 100;

/** Stores a token that passes, and forgets those that have ended. */
export function issuePassingToken(token: {
  readonly tokenHash: string;
  readonly purpose: PassingPurpose;
  readonly userId: string;
  readonly expiresTs: number;
  readonly now: number;
}): readonly WriteStep[] {
  const { tokenHash, purpose, userId, expiresTs, now } = token;
  return [
    step(deleteEnded, { now }),
    step(deleteSurplus, { userId, purpose, keep: PASSING_TOKENS_PER_USER_MAX - 1 }),
    step(insertPassingToken, { tokenHash, purpose, userId, expiresTs }),
  ];
}

export const deletePassingTokens = defineQuery<{ readonly userId: string }>({
  name: 'accounts.delete-passing-tokens',
  sql: 'DELETE FROM passing_tokens WHERE user_id = :userId',
});

/** Ends the tokens of a user that pass. */
export function revokePassingTokens(userId: string): readonly WriteStep[] {
  return [step(deletePassingTokens, { userId })];
}

export const takePassingToken = defineQuery<
  Hash & { readonly userId: string; readonly purpose: string; readonly now: number }
>({
  name: 'accounts.take-passing-token',
  sql: `
    DELETE FROM passing_tokens
     WHERE token_hash = :tokenHash AND user_id = :userId AND purpose = :purpose AND expires_ts > :now`,
});

/** Takes a login token, which is good for one login. Guard: `login-token-is-unknown`. */
export function takeLoginToken(tokenHash: string, userId: string, now: number): readonly WriteStep[] {
  return [
    step(
      takePassingToken,
      { tokenHash, userId, purpose: 'login', now },
      { expectChanges: 1, refusal: 'login-token-is-unknown' satisfies TokenGuard },
    ),
  ];
}
