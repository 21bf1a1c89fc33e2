import type { ReadDb } from '../kit/read-db.ts';
import {
  accountsPage,
  activeRooms,
  allDevices,
  anyAccount,
  anyValidToken,
  type Device,
  deviceCount,
  deviceIdsOfUser,
  firstToken,
  leavingAccounts,
  oneDevice,
  onePassingToken,
  oneRefreshToken,
  oneRegistrationToken,
  type ProfileField,
  profileFields,
  readAccessToken,
  readAccount,
  readErased,
  refreshOfAccessToken,
} from './queries.ts';

/** Whoever holds an access token. */
export interface AccessTokenOwner {
  readonly userId: string;
  readonly deviceId: string;
  readonly isAdmin: boolean;
  readonly isGuest: boolean;
  /** Nothing may be done with it but to log out. */
  readonly isLocked: boolean;
  /** Others are not to notice anything of its owner. */
  readonly isSuspended: boolean;
  /** Milliseconds since the Unix epoch; null: never. Whoever asks looks at the clock. */
  readonly expiresTs: number | null;
  /** It came from a refresh and has not been used yet: with its first use the refresh token behind it is used up. */
  readonly isUnused: boolean;
}

/**
 * The owner of an access token, or undefined when it is unknown, revoked, or of a deactivated account. Expired tokens are known.
 *
 * @param tokenHash what `hashAccessToken` gives
 */
export async function findAccessToken(db: ReadDb, tokenHash: string): Promise<AccessTokenOwner | undefined> {
  const row = await db.find(readAccessToken, { tokenHash });
  if (row === undefined) return undefined;
  return {
    userId: row.userId,
    deviceId: row.deviceId,
    isAdmin: row.isAdmin === 1,
    isGuest: row.isGuest === 1,
    isLocked: row.isLocked === 1,
    isSuspended: row.isSuspended === 1,
    expiresTs: row.expiresTs,
    isUnused: row.isUnused === 1,
  };
}

/** An account. Times are milliseconds since the Unix epoch. */
export interface Account {
  readonly userId: string;
  /** PHC text; null when nobody can log in with a password. */
  readonly passwordHash: string | null;
  readonly isAdmin: boolean;
  readonly isGuest: boolean;
  readonly createdTs: number;
  /** Null while it is in use. */
  readonly deactivatedTs: number | null;
  /** Null when it is not locked, not suspended. */
  readonly lockedTs: number | null;
  readonly suspendedTs: number | null;
  /** Null when its events are served to everybody as they are. */
  readonly erasedTs: number | null;
}

/** An account, deactivated or not; undefined when the name was never taken. */
export async function findAccount(db: ReadDb, userId: string): Promise<Account | undefined> {
  const row = await db.find(readAccount, { userId });
  return row && { ...row, userId, isAdmin: row.isAdmin === 1, isGuest: row.isGuest === 1 };
}

/** An account as it is listed. Times are milliseconds since the Unix epoch. */
export interface ListedAccount {
  readonly userId: string;
  readonly isAdmin: boolean;
  readonly isGuest: boolean;
  readonly isDeactivated: boolean;
  readonly isLocked: boolean;
  readonly isSuspended: boolean;
  readonly createdTs: number;
  /** When one of its devices was last seen; null where it has none, or none was ever seen. */
  readonly lastSeenTs: number | null;
}

/** Accounts by user id, above `after` (empty: from the first one on); at most `limit`. */
export async function readAccounts(db: ReadDb, after: string, limit: number): Promise<ListedAccount[]> {
  const rows = await db.all(accountsPage, { after, limit });
  return rows.map((row) => ({
    userId: row.userId,
    isAdmin: row.isAdmin === 1,
    isGuest: row.isGuest === 1,
    isDeactivated: row.deactivatedTs !== null,
    isLocked: row.lockedTs !== null,
    isSuspended: row.suspendedTs !== null,
    createdTs: row.createdTs,
    lastSeenTs: row.lastSeenTs,
  }));
}

/** True when there is an account, deactivated or not. */
export async function hasAnyAccount(db: ReadDb): Promise<boolean> {
  return (await db.find(anyAccount, {})) !== undefined;
}

/** One device of a user. */
export function findDevice(db: ReadDb, userId: string, deviceId: string): Promise<Device | undefined> {
  return db.find(oneDevice, { userId, deviceId });
}

/** All devices of a user, by device id. */
export function readDevices(db: ReadDb, userId: string): Promise<Device[]> {
  return db.all(allDevices, { userId });
}

/** The ids of all devices of a user, ascending; none for an unknown user. */
export async function findDeviceIds(db: ReadDb, userId: string): Promise<string[]> {
  return (await db.all(deviceIdsOfUser, { userId })).map(({ deviceId }) => deviceId);
}

/** How many devices a user has. */
export async function countDevices(db: ReadDb, userId: string): Promise<number> {
  return (await db.get(deviceCount, { userId })).count;
}

/** The names of the profile fields that room member events carry. */
export const DISPLAYNAME_FIELD = 'displayname';
export const AVATAR_URL_FIELD = 'avatar_url';

/** All profile fields of a local user; none for an unknown one. */
export function readProfileFields(db: ReadDb, userId: string): Promise<ProfileField[]> {
  return db.all(profileFields, { userId });
}

/** What of a profile goes into room member events. */
export interface Profile {
  readonly displayname: string | null;
  readonly avatarUrl: string | null;
}

function textOf(fields: readonly ProfileField[], name: string): string | null {
  const value: unknown = JSON.parse(fields.find(({ field }) => field === name)?.value ?? 'null');
  return typeof value === 'string' ? value : null;
}

/** Display name and avatar among profile fields. */
export function profileOf(fields: readonly ProfileField[]): Profile {
  return { displayname: textOf(fields, DISPLAYNAME_FIELD), avatarUrl: textOf(fields, AVATAR_URL_FIELD) };
}

/** Display name and avatar of a local user; nulls when not set, and for a user that does not exist. */
export async function readProfile(db: ReadDb, userId: string): Promise<Profile> {
  return profileOf(await readProfileFields(db, userId));
}

/** A registration token. */
export interface RegistrationToken {
  readonly token: string;
  /** Null: as often as wanted. */
  readonly usesAllowed: number | null;
  readonly usesCompleted: number;
  /** Milliseconds since the Unix epoch; null: never. */
  readonly expiresTs: number | null;
  readonly grantsAdmin: boolean;
}

/** A registration token, valid or not. */
export async function findRegistrationToken(
  db: ReadDb,
  token: string,
): Promise<RegistrationToken | undefined> {
  const row = await db.find(oneRegistrationToken, { token });
  return row && { ...row, grantsAdmin: row.grantsAdmin === 1 };
}

/**
 * True when somebody could register with a token. Pending uses do not count.
 *
 * @param now milliseconds since the Unix epoch
 */
export async function hasValidRegistrationToken(db: ReadDb, now: number): Promise<boolean> {
  return (await db.find(anyValidToken, { now })) !== undefined;
}

/** The registration token of the first admin, while there is one. */
export async function findFirstToken(db: ReadDb): Promise<string | undefined> {
  return (await db.find(firstToken, {}))?.token;
}

/** A refresh token that is known. */
export interface RefreshTokenOwner {
  readonly userId: string;
  readonly deviceId: string;
  /** Its successor is in use: it is good for nothing any more. */
  readonly isUsedUp: boolean;
  readonly isLocked: boolean;
}

/**
 * A refresh token, or undefined when it is unknown, revoked, or of a deactivated account.
 *
 * @param tokenHash what `hashAccessToken` gives
 */
export async function findRefreshToken(
  db: ReadDb,
  tokenHash: string,
): Promise<RefreshTokenOwner | undefined> {
  const row = await db.find(oneRefreshToken, { tokenHash });
  if (row === undefined || row.isDeactivated === 1) return undefined;
  const { userId, deviceId } = row;
  return { userId, deviceId, isUsedUp: row.isUsedUp === 1, isLocked: row.isLocked === 1 };
}

/**
 * Whose login token this is; undefined when it is unknown, used, expired, or of a deactivated account.
 *
 * @param tokenHash what `hashAccessToken` gives
 * @param now milliseconds since the Unix epoch
 */
export async function findLoginTokenUser(
  db: ReadDb,
  tokenHash: string,
  now: number,
): Promise<string | undefined> {
  return (await db.find(onePassingToken, { tokenHash, purpose: 'login', now }))?.userId;
}

/**
 * Who has given out this OpenID token; undefined when it is unknown, expired, or of a deactivated account. For
 * `GET /_matrix/federation/v1/openid/userinfo`, Server-Server API v1.19.
 *
 * @param tokenHash what `hashAccessToken` gives
 * @param now milliseconds since the Unix epoch
 */
export async function findOpenIdUser(
  db: ReadDb,
  tokenHash: string,
  now: number,
): Promise<string | undefined> {
  return (await db.find(onePassingToken, { tokenHash, purpose: 'openid', now }))?.userId;
}

/** When a local user's account was erased (milliseconds since the Unix epoch); null when it was not, and for anybody else. */
export async function findErasedTs(db: ReadDb, userId: string): Promise<number | null> {
  return (await db.find(readErased, { userId }))?.erasedTs ?? null;
}

/** Deactivated users whose rooms are still to be left, by user id, above `after`. */
export async function readLeavingUserIds(db: ReadDb, after: string, limit: number): Promise<string[]> {
  return (await db.all(leavingAccounts, { after, limit })).map(({ userId }) => userId);
}

/** Ids of rooms in which a local user is, is invited or knocks; at most `limit`. */
export async function readActiveRoomIds(db: ReadDb, userId: string, limit: number): Promise<string[]> {
  return (await db.all(activeRooms, { userId, limit })).map(({ roomId }) => roomId);
}

/** The refresh token that came with an access token, and whose they are; undefined when there is none. */
export async function findRefreshOfAccessToken(
  db: ReadDb,
  tokenHash: string,
): Promise<{ readonly userId: string; readonly deviceId: string; readonly refreshHash: string } | undefined> {
  const row = await db.find(refreshOfAccessToken, { tokenHash });
  return row === undefined || row.refreshHash === null ? undefined : { ...row, refreshHash: row.refreshHash };
}
