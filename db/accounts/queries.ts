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
    readonly isLocked: number;
    readonly isSuspended: number;
    readonly expiresTs: number | null;
    readonly isUnused: number;
  }
>({
  name: 'accounts.read-access-token',
  sql: `
    SELECT t.user_id AS userId, t.device_id AS deviceId, a.is_admin AS isAdmin, a.is_guest AS isGuest,
           a.locked_ts IS NOT NULL AS isLocked, a.suspended_ts IS NOT NULL AS isSuspended,
           t.expires_ts AS expiresTs, r.replaces_hash IS NOT NULL AS isUnused
      FROM access_tokens t
      JOIN accounts a ON a.user_id = t.user_id
      LEFT JOIN refresh_tokens r ON r.token_hash = t.refresh_hash
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
    readonly lockedTs: number | null;
    readonly suspendedTs: number | null;
    readonly erasedTs: number | null;
  }
>({
  name: 'accounts.read-account',
  sql: `
    SELECT password_hash AS passwordHash, is_admin AS isAdmin, is_guest AS isGuest,
           created_ts AS createdTs, deactivated_ts AS deactivatedTs, locked_ts AS lockedTs,
           suspended_ts AS suspendedTs, erased_ts AS erasedTs
      FROM accounts
     WHERE user_id = :userId`,
});

/** Accounts by user id, above `after`, and when one of their devices was last seen. */
export const accountsPage = defineQuery<
  { readonly after: string; readonly limit: number },
  {
    readonly userId: string;
    readonly isAdmin: number;
    readonly isGuest: number;
    readonly createdTs: number;
    readonly deactivatedTs: number | null;
    readonly lockedTs: number | null;
    readonly suspendedTs: number | null;
    readonly lastSeenTs: number | null;
  }
>({
  name: 'accounts.read-accounts',
  sql: `
    SELECT user_id AS userId, is_admin AS isAdmin, is_guest AS isGuest, created_ts AS createdTs,
           deactivated_ts AS deactivatedTs, locked_ts AS lockedTs, suspended_ts AS suspendedTs,
           (SELECT max(d.last_seen_ts) FROM devices d WHERE d.user_id = a.user_id) AS lastSeenTs
      FROM accounts a
     WHERE user_id > :after
     ORDER BY user_id
     LIMIT :limit`,
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

/** One refresh token, used up or not, with what keeps its owner from using it. */
export const oneRefreshToken = defineQuery<
  { readonly tokenHash: string },
  {
    readonly userId: string;
    readonly deviceId: string;
    readonly isUsedUp: number;
    readonly isLocked: number;
    readonly isDeactivated: number;
  }
>({
  name: 'accounts.read-refresh-token',
  sql: `
    SELECT r.user_id AS userId, r.device_id AS deviceId, r.is_used_up AS isUsedUp,
           a.locked_ts IS NOT NULL AS isLocked, a.deactivated_ts IS NOT NULL AS isDeactivated
      FROM refresh_tokens r
      JOIN accounts a ON a.user_id = r.user_id
     WHERE r.token_hash = :tokenHash`,
});

/** The owner of a token that has not expired, made for this purpose. */
export const onePassingToken = defineQuery<
  { readonly tokenHash: string; readonly purpose: string; readonly now: number },
  { readonly userId: string }
>({
  name: 'accounts.read-passing-token',
  sql: `
    SELECT t.user_id AS userId
      FROM passing_tokens t
      JOIN accounts a ON a.user_id = t.user_id
     WHERE t.token_hash = :tokenHash AND t.purpose = :purpose AND t.expires_ts > :now
       AND a.deactivated_ts IS NULL`,
});

/** When an account was erased. */
export const readErased = defineQuery<User, { readonly erasedTs: number | null }>({
  name: 'accounts.read-erased',
  sql: 'SELECT erased_ts AS erasedTs FROM accounts WHERE user_id = :userId',
});

/** Deactivated accounts whose rooms are still to be left. */
export const leavingAccounts = defineQuery<
  { readonly after: string; readonly limit: number },
  { readonly userId: string }
>({
  name: 'accounts.read-leaving',
  sql: `
    SELECT user_id AS userId FROM accounts
     WHERE is_leaving = 1 AND user_id > :after
     ORDER BY user_id LIMIT :limit`,
});

/** Rooms in which a local user is, is invited or knocks. */
export const activeRooms = defineQuery<User & { readonly limit: number }, { readonly roomId: string }>({
  name: 'accounts.read-active-rooms',
  sql: `
    SELECT r.room_id AS roomId
      FROM user_ids u
      JOIN local_memberships m ON m.user_nid = u.user_nid AND m.membership IN ('join', 'invite', 'knock')
      JOIN rooms r ON r.room_nid = m.room_nid
     WHERE u.user_id = :userId
     LIMIT :limit`,
});

/** The refresh token that came with an access token, and whose they are. */
export const refreshOfAccessToken = defineQuery<
  { readonly tokenHash: string },
  { readonly userId: string; readonly deviceId: string; readonly refreshHash: string | null }
>({
  name: 'accounts.read-refresh-token-of-access-token',
  sql: `
    SELECT user_id AS userId, device_id AS deviceId, refresh_hash AS refreshHash
      FROM access_tokens WHERE token_hash = :tokenHash`,
});
