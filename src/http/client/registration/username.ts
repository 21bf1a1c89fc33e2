import { findAccount } from '../../../../db/accounts/reader.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import type { Config } from '../../../config/config.ts';
import { noticesUserOf } from '../../../config/notices-user.ts';
import { makeUserId, type UserId } from '../../../matrix/identifiers/user-id.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** Application services commonly claim everything that begins so. */
const RESERVED_PREFIX = '_';

/**
 * The user id that a wanted user name stands for: upper case is mapped to lower case, everything else has to fit the grammar.
 * Appendices v1.19, "User Identifiers".
 *
 * @returns a refusal M_INVALID_USERNAME when nobody can have this name
 */
export function parseUsername(username: string, serverName: string): UserId | Refusal {
  const localpart = username.toLowerCase();
  if (localpart.startsWith(RESERVED_PREFIX)) {
    return refuse('M_INVALID_USERNAME', `User names that begin with "${RESERVED_PREFIX}" are reserved.`);
  }
  const userId = makeUserId(localpart, serverName);
  if (userId !== undefined) return userId;
  return refuse(
    'M_INVALID_USERNAME',
    'A user name consists of a-z, 0-9 and . _ = - / + only, and is at most 255 bytes long together with the server name.',
  );
}

/** The same, and refuses with M_USER_IN_USE when somebody has the name, or had it, or the server speaks under it. */
export async function parseFreeUsername(
  db: ReadDb,
  username: string,
  config: Pick<Config, 'server' | 'serverNotices'>,
): Promise<UserId | Refusal> {
  const userId = parseUsername(username, config.server.name);
  if (typeof userId !== 'string') return userId;
  if (userId === noticesUserOf(config)) return refuse('M_USER_IN_USE', 'This user name is taken.');
  const account = await findAccount(db, userId);
  return account === undefined ? userId : refuse('M_USER_IN_USE', 'This user name is taken.');
}
