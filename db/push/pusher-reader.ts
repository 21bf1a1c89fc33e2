import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What names a pusher. */
export type PusherKey = {
  readonly userId: string;
  readonly appId: string;
  readonly pushkey: string;
};

/** A pusher as it is stored. */
export interface StoredPusher extends PusherKey {
  readonly kind: string;
  readonly appDisplayName: string;
  readonly deviceDisplayName: string;
  readonly profileTag: string | null;
  readonly lang: string;
  /** JSON. */
  readonly data: string;
  readonly isEnabled: number;
  readonly deviceId: string;
  /** Milliseconds since the Unix epoch. */
  readonly setTs: number;
  /** Up to where of the events stream its gateway knows. */
  readonly place: number;
  /** The unread count that its gateway was told last; null: none. */
  readonly badge: number | null;
  readonly reachedTs: number | null;
  readonly failingSinceTs: number | null;
}

const COLUMNS = `
  p.user_id AS userId, p.app_id AS appId, p.pushkey, p.kind, p.app_display_name AS appDisplayName,
  p.device_display_name AS deviceDisplayName, p.profile_tag AS profileTag, p.lang, p.data, p.is_enabled AS isEnabled,
  p.device_id AS deviceId, p.set_ts AS setTs, p.place, p.badge, p.reached_ts AS reachedTs,
  p.failing_since_ts AS failingSinceTs`;

// Without its device it is as good as deleted; one of the same name that came later is another device.
const DEVICE =
  'JOIN devices d ON d.user_id = p.user_id AND d.device_id = p.device_id AND d.created_ts <= p.set_ts';

export const readPushersQuery = defineQuery<{ readonly userId: string }, StoredPusher>({
  name: 'push.read-pushers',
  sql: `SELECT ${COLUMNS} FROM pushers p ${DEVICE} WHERE p.user_id = :userId ORDER BY p.app_id, p.pushkey`,
});

export const findPusherQuery = defineQuery<PusherKey, StoredPusher>({
  name: 'push.find-pusher',
  sql: `
    SELECT ${COLUMNS} FROM pushers p ${DEVICE}
     WHERE p.user_id = :userId AND p.app_id = :appId AND p.pushkey = :pushkey`,
});

export const readUsersQuery = defineQuery<
  { readonly after: string; readonly limit: number },
  { readonly userId: string }
>({
  name: 'push.read-users-with-pushers',
  sql: 'SELECT DISTINCT user_id AS userId FROM pushers WHERE user_id > :after ORDER BY user_id LIMIT :limit',
});

/** The pushers of a user whose devices are there still. */
export function readPushers(db: ReadDb, userId: string): Promise<StoredPusher[]> {
  return db.all(readPushersQuery, { userId });
}

/** One pusher, if its device is there still. */
export function findPusher(db: ReadDb, key: PusherKey): Promise<StoredPusher | undefined> {
  const { userId, appId, pushkey } = key;
  return db.find(findPusherQuery, { userId, appId, pushkey });
}

const USERS_PER_PAGE = 1_000;

/** All users who have pushers. */
export async function readUsersWithPushers(db: ReadDb): Promise<Set<string>> {
  const users = new Set<string>();
  for (let after = ''; ;) {
    const page = await db.all(readUsersQuery, { after, limit: USERS_PER_PAGE });
    for (const { userId } of page) users.add(userId);
    const last = page[USERS_PER_PAGE - 1];
    if (last === undefined) return users;
    after = last.userId;
  }
}
