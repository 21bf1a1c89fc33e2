import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import type { AccountGuard } from './account-guard.ts';
import { giveTokens, revokeOtherRefreshTokens, revokeRefreshTokens } from './token-writer.ts';

type User = { readonly userId: string };
type DeviceKey = { readonly userId: string; readonly deviceId: string };

export const insertAccount = defineQuery<{
  readonly userId: string;
  readonly passwordHash: string | null;
  readonly isAdmin: number;
  readonly isGuest: number;
  readonly token: string | null;
  readonly now: number;
}>({
  name: 'accounts.insert-account',
  sql: `
    INSERT INTO accounts (user_id, password_hash, is_admin, is_guest, created_ts)
    VALUES (:userId, :passwordHash,
            max(:isAdmin, coalesce((SELECT grants_admin FROM registration_tokens WHERE token = :token), 0)),
            :isGuest, :now)
    ON CONFLICT (user_id) DO NOTHING`,
});

export const useRegistrationToken = defineQuery<{ readonly token: string; readonly now: number }>({
  name: 'accounts.use-registration-token',
  sql: `
    UPDATE registration_tokens
       SET uses_completed = uses_completed + 1
     WHERE token = :token
       AND (uses_allowed IS NULL OR uses_completed < uses_allowed)
       AND (expires_ts IS NULL OR expires_ts > :now)`,
});

export const dropFirstToken = defineQuery<User>({
  name: 'accounts.drop-first-token',
  sql: `
    DELETE FROM registration_tokens
     WHERE is_first = 1 AND (SELECT is_admin FROM accounts WHERE user_id = :userId) = 1`,
  scans: ['registration_tokens'],
});

/** Takes one use of a registration token. Guard: `token-is-invalid`. */
export function spendRegistrationToken(token: string, now: number): readonly WriteStep[] {
  const refusal = 'token-is-invalid' satisfies AccountGuard;
  return [step(useRegistrationToken, { token, now }, { expectChanges: 1, refusal })];
}

/**
 * Makes an account, by means of a registration token or not. Where it is an admin's, the token for the first admin goes.
 * Guards: `name-is-taken`, `token-is-invalid`.
 */
export function createAccount(account: {
  readonly userId: string;
  readonly passwordHash: string | null;
  readonly isAdmin: boolean;
  /** False when absent. */
  readonly isGuest?: boolean;
  readonly registrationToken: string | null;
  readonly now: number;
}): readonly WriteStep[] {
  const { userId, passwordHash, registrationToken: token, now } = account;
  const guard = { expectChanges: 1 };
  const insert = step(
    insertAccount,
    {
      userId,
      passwordHash,
      isAdmin: account.isAdmin ? 1 : 0,
      isGuest: account.isGuest === true ? 1 : 0,
      token,
      now,
    },
    { ...guard, refusal: 'name-is-taken' satisfies AccountGuard },
  );
  const drop = step(dropFirstToken, { userId });
  return token === null ? [insert, drop] : [...spendRegistrationToken(token, now), insert, drop];
}

export const upsertDevice = defineQuery<
  DeviceKey & { readonly displayName: string | null; readonly now: number }
>({
  name: 'accounts.upsert-device',
  // The update changes nothing: it lets the guard count one row for a device that exists.
  sql: `
    INSERT INTO devices (user_id, device_id, display_name, created_ts)
    SELECT user_id, :deviceId, :displayName, :now
      FROM accounts
     WHERE user_id = :userId AND deactivated_ts IS NULL
    ON CONFLICT (user_id, device_id) DO UPDATE SET created_ts = created_ts`,
});

export const revokeDeviceTokens = defineQuery<DeviceKey, { readonly tokenHash: string }>({
  name: 'accounts.revoke-device-tokens',
  sql: `
    DELETE FROM access_tokens WHERE user_id = :userId AND device_id = :deviceId
    RETURNING token_hash AS tokenHash`,
});

/**
 * Makes a device unless it exists, revokes its tokens, and gives it a new one. The revoked hashes come back from the second step.
 * Guard: `no-such-account`.
 */
export function logInDevice(
  login: DeviceKey & {
    readonly displayName: string | null;
    readonly tokenHash: string;
    /** Milliseconds since the Unix epoch; never when absent. */
    readonly expiresTs?: number | null;
    /** Of the refresh token that comes with it; none when absent. */
    readonly refreshHash?: string | null;
    readonly now: number;
  },
): readonly WriteStep[] {
  const { userId, deviceId, displayName, tokenHash, expiresTs = null, refreshHash = null, now } = login;
  const device = { userId, deviceId };
  return [
    step(
      upsertDevice,
      { userId, deviceId, displayName, now },
      { expectChanges: 1, refusal: 'no-such-account' satisfies AccountGuard },
    ),
    step(revokeDeviceTokens, device, { returns: true }),
    ...revokeRefreshTokens(device),
    ...giveTokens(device, { tokenHash, expiresTs, refreshHash }, null, now),
  ];
}

export const deleteDevice = defineQuery<DeviceKey>({
  name: 'accounts.delete-device',
  sql: 'DELETE FROM devices WHERE user_id = :userId AND device_id = :deviceId',
});

/** Deletes devices and their tokens. Revoked hashes come back from the steps that return rows. */
export function deleteDevices(userId: string, deviceIds: readonly string[]): readonly WriteStep[] {
  return deviceIds.flatMap((deviceId) => [
    step(revokeDeviceTokens, { userId, deviceId }, { returns: true }),
    ...revokeRefreshTokens({ userId, deviceId }),
    step(deleteDevice, { userId, deviceId }),
  ]);
}

export const revokeOtherTokens = defineQuery<
  User & { readonly keep: string },
  { readonly tokenHash: string }
>({
  name: 'accounts.revoke-other-tokens',
  sql: `
    DELETE FROM access_tokens WHERE user_id = :userId AND device_id <> :keep
    RETURNING token_hash AS tokenHash`,
});

export const deleteOtherDevices = defineQuery<User & { readonly keep: string }>({
  name: 'accounts.delete-other-devices',
  sql: 'DELETE FROM devices WHERE user_id = :userId AND device_id <> :keep',
});

/**
 * Deletes all devices of a user and their tokens, but one device or (null) none. Revoked hashes come back from the step that returns
 * rows.
 */
export function deleteOtherDevicesOf(userId: string, deviceToKeep: string | null): readonly WriteStep[] {
  // No device has the empty id.
  const keep = deviceToKeep ?? '';
  return [
    step(revokeOtherTokens, { userId, keep }, { returns: true }),
    ...revokeOtherRefreshTokens(userId, keep),
    step(deleteOtherDevices, { userId, keep }),
  ];
}

export const updateDeviceName = defineQuery<DeviceKey & { readonly displayName: string | null }>({
  name: 'accounts.rename-device',
  sql: 'UPDATE devices SET display_name = :displayName WHERE user_id = :userId AND device_id = :deviceId',
});

/** Names a device. Guard: `no-such-device`. */
export function renameDevice(
  userId: string,
  deviceId: string,
  displayName: string | null,
): readonly WriteStep[] {
  return [
    step(
      updateDeviceName,
      { userId, deviceId, displayName },
      { expectChanges: 1, refusal: 'no-such-device' satisfies AccountGuard },
    ),
  ];
}

export const updateLastSeen = defineQuery<
  DeviceKey & { readonly ts: number; readonly ip: string; readonly userAgent: string }
>({
  name: 'accounts.update-last-seen',
  sql: `
    UPDATE devices
       SET last_seen_ts = :ts, last_seen_ip = :ip, last_seen_user_agent = :userAgent
     WHERE user_id = :userId AND device_id = :deviceId`,
});

/** When and from where a device was last used. `ts` is milliseconds since the Unix epoch. */
export interface DeviceUse {
  readonly userId: string;
  readonly deviceId: string;
  readonly ts: number;
  readonly ip: string;
  readonly userAgent: string;
}

/** Notes the last use of devices; those that are gone are passed over. */
export function noteUses(uses: readonly DeviceUse[]): readonly WriteStep[] {
  return uses.map((use) => step(updateLastSeen, { ...use }));
}

export const updatePassword = defineQuery<User & { readonly passwordHash: string }>({
  name: 'accounts.update-password',
  sql: 'UPDATE accounts SET password_hash = :passwordHash WHERE user_id = :userId AND deactivated_ts IS NULL',
});

/** Stores a new password. Guard: `no-such-account`. */
export function changePassword(userId: string, passwordHash: string): readonly WriteStep[] {
  return [
    step(
      updatePassword,
      { userId, passwordHash },
      { expectChanges: 1, refusal: 'no-such-account' satisfies AccountGuard },
    ),
  ];
}

export const upsertProfileField = defineQuery<User & { readonly field: string; readonly value: string }>({
  name: 'accounts.upsert-profile-field',
  sql: `
    INSERT INTO profile_fields (user_id, field, value)
    SELECT user_id, :field, :value FROM accounts WHERE user_id = :userId AND deactivated_ts IS NULL
    ON CONFLICT (user_id, field) DO UPDATE SET value = excluded.value`,
});

export const deleteProfileField = defineQuery<User & { readonly field: string }>({
  name: 'accounts.delete-profile-field',
  sql: 'DELETE FROM profile_fields WHERE user_id = :userId AND field = :field',
});

/** Sets one profile field (JSON text) or deletes it (null). Guard: `no-such-account`. */
export function setProfileField(userId: string, field: string, value: string | null): readonly WriteStep[] {
  if (value === null) return [step(deleteProfileField, { userId, field })];
  return [
    step(
      upsertProfileField,
      { userId, field, value },
      { expectChanges: 1, refusal: 'no-such-account' satisfies AccountGuard },
    ),
  ];
}

export const insertRegistrationToken = defineQuery<{
  readonly token: string;
  readonly usesAllowed: number | null;
  readonly expiresTs: number | null;
  readonly grantsAdmin: number;
  readonly isFirst: number;
  readonly now: number;
}>({
  name: 'accounts.insert-registration-token',
  sql: `
    INSERT INTO registration_tokens (token, uses_allowed, expires_ts, grants_admin, is_first, created_ts)
    VALUES (:token, :usesAllowed, :expiresTs, :grantsAdmin, :isFirst, :now)`,
});

/** Makes a registration token for ordinary users. Null: as many uses as wanted; never ends (milliseconds since the Unix epoch). */
export function createRegistrationToken(wanted: {
  readonly token: string;
  readonly usesAllowed: number | null;
  readonly expiresTs: number | null;
  readonly now: number;
}): readonly WriteStep[] {
  return [step(insertRegistrationToken, { ...wanted, grantsAdmin: 0, isFirst: 0 })];
}

/** Makes the token of the first start: one use, for an admin, without an end. */
export function createFirstToken(token: string, now: number): readonly WriteStep[] {
  return [
    step(insertRegistrationToken, {
      token,
      usesAllowed: 1,
      expiresTs: null,
      grantsAdmin: 1,
      isFirst: 1,
      now,
    }),
  ];
}
