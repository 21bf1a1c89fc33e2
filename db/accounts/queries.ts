import { defineQuery } from '../kit/query.ts';

/** A token's owner as it stands in the tables. */
export type AccessTokenRow = {
  readonly userId: string;
  readonly deviceId: string;
  readonly isAdmin: number;
  readonly isGuest: number;
};

/** The owner of a token that has not been revoked. */
export const readAccessToken = defineQuery<{ readonly tokenHash: string }, AccessTokenRow>({
  name: 'accounts.read-access-token',
  sql: `
    SELECT t.user_id AS userId, t.device_id AS deviceId, a.is_admin AS isAdmin, a.is_guest AS isGuest
      FROM access_tokens t
      JOIN accounts a ON a.user_id = t.user_id
     WHERE t.token_hash = :tokenHash AND a.deactivated_ts IS NULL`,
});
