import { findAccountData, oneEvent } from '../../../db/account-data/reader.ts';
import { isJsonObject, type JsonObject } from '../../kit/json.ts';
import { defineCache } from '../../streams/cache.ts';

/** Account data that names whom a user ignores. Client-Server API v1.19, "Ignoring Users". */
export const IGNORED_USERS_TYPE = 'm.ignored_user_list';

const IGNORED_USERS_MAX = 100_000;

/** The users whom the content of `m.ignored_user_list` names. */
export function ignoredUsersOf(content: JsonObject | undefined): ReadonlySet<string> {
  const ignored = content?.['ignored_users'];
  return new Set(isJsonObject(ignored) ? Object.keys(ignored) : []);
}

/** Whom a user ignores, by user id. Client-Server API v1.19, "Ignoring Users". */
export const ignoredUsersCache = defineCache<string, ReadonlySet<string>>({
  name: 'ignored-users',
  sizeMax: IGNORED_USERS_MAX,
  size: (ignored) => ignored.size + 1,
  async load(db, userId) {
    const stored = await findAccountData(db, userId, null, IGNORED_USERS_TYPE);
    const content: unknown = stored === undefined ? {} : JSON.parse(stored.content);
    return ignoredUsersOf(isJsonObject(content) ? content : undefined);
  },
  reads: [oneEvent],
  dependsOn: {
    'account-data': (fact) => (fact.roomId === null && fact.type === IGNORED_USERS_TYPE ? [fact.userId] : []),
  },
});
