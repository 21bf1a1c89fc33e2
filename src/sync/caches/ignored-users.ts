import { findAccountData, oneEvent } from '../../../db/account-data/reader.ts';
import { isJsonObject } from '../../kit/json.ts';
import { defineCache } from '../../streams/cache.ts';

const IGNORED_USERS_TYPE = 'm.ignored_user_list';

const IGNORED_USERS_MAX = 100_000;

/** Whom a user ignores, by user id. Client-Server API v1.19, "Ignoring Users". */
export const ignoredUsersCache = defineCache<string, ReadonlySet<string>>({
  name: 'ignored-users',
  sizeMax: IGNORED_USERS_MAX,
  size: (ignored) => ignored.size + 1,
  async load(db, userId) {
    const stored = await findAccountData(db, userId, null, IGNORED_USERS_TYPE);
    const content: unknown = stored === undefined ? {} : JSON.parse(stored.content);
    const ignored = isJsonObject(content) ? content['ignored_users'] : undefined;
    return new Set(isJsonObject(ignored) ? Object.keys(ignored) : []);
  },
  reads: [oneEvent],
  dependsOn: {
    'account-data': (fact) => (fact.roomId === null && fact.type === IGNORED_USERS_TYPE ? [fact.userId] : []),
  },
});
