import { defineQuery } from '../kit/query.ts';

type User = { readonly userId: string };

/** A device. Times are milliseconds since the Unix epoch. */
export type Device = {
  readonly deviceId: string;
  readonly displayName: string | null;
  readonly createdTs: number;
  readonly lastSeenTs: number | null;
  readonly lastSeenIp: string | null;
  readonly lastSeenUserAgent: string | null;
};

/** One profile field; `value` is JSON text. */
export type ProfileField = { readonly field: string; readonly value: string };

const DEVICE_COLUMNS = `
           device_id AS deviceId, display_name AS displayName, created_ts AS createdTs, last_seen_ts AS lastSeenTs,
           last_seen_ip AS lastSeenIp, last_seen_user_agent AS lastSeenUserAgent`;

/** The owner of a token that has not been revoked. */
export const readAccessToken = defineQuery<
  { readonly tokenHash: string },
  {
    readonly userId: string;
    readonly deviceId: string;
    readonly isAdmin: number;
    readonly isGuest: number;
  }
>({
  name: 'accounts.read-access-token',
  sql: `
    SELECT t.user_id AS userId, t.device_id AS deviceId, a.is_admin AS isAdmin, a.is_guest AS isGuest
      FROM access_tokens t
      JOIN accounts a ON a.user_id = t.user_id
     WHERE t.token_hash = :tokenHash AND a.deactivated_ts IS NULL`,
});

/** One account. */
export const readAccount = defineQuery<
  User,
  {
    readonly passwordHash: string | null;
    readonly isAdmin: number;
    readonly isGuest: number;
    readonly createdTs: number;
    readonly deactivatedTs: number | null;
  }
>({
  name: 'accounts.read-account',
  sql: `
    SELECT password_hash AS passwordHash, is_admin AS isAdmin, is_guest AS isGuest,
           created_ts AS createdTs, deactivated_ts AS deactivatedTs
      FROM accounts
     WHERE user_id = :userId`,
});

/** A row when there is an account at all. */
export const anyAccount = defineQuery<Record<string, never>, { readonly found: number }>({
  name: 'accounts.find-any-account',
  // Every user id begins with '@': the comparison makes this a look into the index.
  sql: "SELECT 1 AS found FROM accounts WHERE user_id >= '@' LIMIT 1",
});

/** One device of a user. */
export const oneDevice = defineQuery<User & { readonly deviceId: string }, Device>({
  name: 'accounts.read-device',
  sql: `SELECT ${DEVICE_COLUMNS} FROM devices WHERE user_id = :userId AND device_id = :deviceId`,
});

/** All devices of a user, by device id. */
export const allDevices = defineQuery<User, Device>({
  name: 'accounts.read-devices',
  sql: `SELECT ${DEVICE_COLUMNS} FROM devices WHERE user_id = :userId ORDER BY device_id`,
});

/** The ids of all devices of a user. */
export const deviceIdsOfUser = defineQuery<User, { readonly deviceId: string }>({
  name: 'accounts.read-device-ids',
  sql: 'SELECT device_id AS deviceId FROM devices WHERE user_id = :userId ORDER BY device_id',
});

/** How many devices a user has. */
export const deviceCount = defineQuery<User, { readonly count: number }>({
  name: 'accounts.count-devices',
  sql: 'SELECT count(*) AS count FROM devices WHERE user_id = :userId',
});

/** All profile fields of a user. */
export const profileFields = defineQuery<User, ProfileField>({
  name: 'accounts.read-profile-fields',
  sql: 'SELECT field, value FROM profile_fields WHERE user_id = :userId ORDER BY field',
});

/** One registration token, valid or not. */
export const oneRegistrationToken = defineQuery<
  { readonly token: string },
  {
    readonly token: string;
    readonly usesAllowed: number | null;
    readonly usesCompleted: number;
    readonly expiresTs: number | null;
    readonly grantsAdmin: number;
  }
>({
  name: 'accounts.read-registration-token',
  sql: `
    SELECT token, uses_allowed AS usesAllowed, uses_completed AS usesCompleted, expires_ts AS expiresTs,
           grants_admin AS grantsAdmin
      FROM registration_tokens
     WHERE token = :token`,
});

/** A row when a registration token has uses left and has not expired. */
export const anyValidToken = defineQuery<{ readonly now: number }, { readonly found: number }>({
  name: 'accounts.find-any-valid-registration-token',
  sql: `
    SELECT 1 AS found
      FROM registration_tokens
     WHERE (uses_allowed IS NULL OR uses_completed < uses_allowed) AND (expires_ts IS NULL OR expires_ts > :now)
     LIMIT 1`,
  scans: ['registration_tokens'],
});

/** The registration token of the first admin. */
export const firstToken = defineQuery<Record<string, never>, { readonly token: string }>({
  name: 'accounts.read-first-token',
  sql: 'SELECT token FROM registration_tokens WHERE is_first = 1 LIMIT 1',
  scans: ['registration_tokens'],
});
