import type { ReadDb } from '../kit/read-db.ts';
import { type AccessTokenRow, readAccessToken } from './queries.ts';

/** Whoever holds an access token. */
export interface AccessTokenOwner {
  readonly userId: string;
  readonly deviceId: string;
  readonly isAdmin: boolean;
  readonly isGuest: boolean;
}

/**
 * The owner of an access token, or undefined when it is unknown, revoked, or of a deactivated account.
 *
 * @param tokenHash what `hashAccessToken` gives
 */
export async function findAccessToken(db: ReadDb, tokenHash: string): Promise<AccessTokenOwner | undefined> {
  const row: AccessTokenRow | undefined = await db.find(readAccessToken, { tokenHash });
  if (row === undefined) return undefined;
  return {
    userId: row.userId,
    deviceId: row.deviceId,
    isAdmin: row.isAdmin === 1,
    isGuest: row.isGuest === 1,
  };
}
