import { findAccountData, oneEvent } from '../../../db/account-data/reader.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { isJsonObject, type JsonObject } from '../../kit/json.ts';
import {
  compileInvitePermission,
  INVITE_FILTER_TYPE,
  INVITE_PERMISSION_TYPE,
  type InvitePermission,
} from '../../matrix/invite-permission.ts';
import { defineCache } from '../../streams/cache.ts';
import { IGNORED_USERS_TYPE, ignoredUsersOf } from './ignored-users.ts';

/** Patterns and users over all entries. */
const INVITE_PERMISSIONS_MAX = 200_000;

const TYPES: ReadonlySet<string> = new Set([IGNORED_USERS_TYPE, INVITE_PERMISSION_TYPE, INVITE_FILTER_TYPE]);

async function findContent(db: ReadDb, userId: string, type: string): Promise<JsonObject | undefined> {
  const stored = await findAccountData(db, userId, null, type);
  const content: unknown = stored === undefined ? undefined : JSON.parse(stored.content);
  return isJsonObject(content) ? content : undefined;
}

/** Whose invites a local user wants, by user id: compiled once, so that an invite costs a look-up. */
export const invitePermissionCache = defineCache<string, InvitePermission>({
  name: 'invite-permissions',
  sizeMax: INVITE_PERMISSIONS_MAX,
  size: ({ size }) => 1 + size,
  async load(db, userId) {
    const [ignored, permission, filter] = await Promise.all(
      [IGNORED_USERS_TYPE, INVITE_PERMISSION_TYPE, INVITE_FILTER_TYPE].map((type) =>
        findContent(db, userId, type),
      ),
    );
    return compileInvitePermission({ ignoredUsers: ignoredUsersOf(ignored), permission, filter });
  },
  reads: [oneEvent],
  dependsOn: {
    'account-data': (fact) => (fact.roomId === null && TYPES.has(fact.type) ? [fact.userId] : []),
  },
});
