import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import type { PusherKey, StoredPusher } from './pusher-reader.ts';
import { upsertChange } from './writer.ts';

type NewPusher = Omit<StoredPusher, 'place' | 'badge' | 'reachedTs' | 'failingSinceTs'>;

const PROGRESS = '(SELECT place FROM push_progress WHERE only_row = 1)';

/**
 * Stores a pusher. One that was there goes on from where it was. Whoever only switches it may be another device of the user: it stays with its
 * own. MSC3881.
 */
export const upsertPusher = defineQuery<{ readonly [Field in keyof NewPusher]: NewPusher[Field] }>({
  name: 'push.upsert-pusher',
  sql: `
    INSERT INTO pushers (user_id, app_id, pushkey, kind, app_display_name, device_display_name, profile_tag, lang, data,
                         is_enabled, device_id, set_ts, place)
    VALUES (:userId, :appId, :pushkey, :kind, :appDisplayName, :deviceDisplayName, :profileTag, :lang, :data,
            :isEnabled, :deviceId, :setTs, coalesce(${PROGRESS}, 0))
    ON CONFLICT (user_id, app_id, pushkey) DO UPDATE SET
      kind = excluded.kind, app_display_name = excluded.app_display_name,
      device_display_name = excluded.device_display_name, profile_tag = excluded.profile_tag, lang = excluded.lang,
      data = excluded.data,
      device_id = CASE WHEN is_enabled <> excluded.is_enabled AND data = excluded.data
                        AND (kind, app_display_name, device_display_name, lang)
                          = (excluded.kind, excluded.app_display_name, excluded.device_display_name, excluded.lang)
                        AND profile_tag IS excluded.profile_tag
                       THEN device_id ELSE excluded.device_id END,
      set_ts = excluded.set_ts, failing_since_ts = NULL,
      place = CASE WHEN is_enabled = excluded.is_enabled THEN place ELSE excluded.place END,
      is_enabled = excluded.is_enabled`,
});

export const deletePusherQuery = defineQuery<PusherKey>({
  name: 'push.delete-pusher',
  sql: 'DELETE FROM pushers WHERE user_id = :userId AND app_id = :appId AND pushkey = :pushkey',
});

export const deletePushersOfOthers = defineQuery<PusherKey>({
  name: 'push.delete-pushers-of-others',
  sql: 'DELETE FROM pushers WHERE app_id = :appId AND pushkey = :pushkey AND user_id <> :userId',
});

export const deleteLonePushers = defineQuery<{ readonly userId: string }>({
  name: 'push.delete-pushers-without-device',
  sql: `
    DELETE FROM pushers
     WHERE user_id = :userId AND NOT EXISTS (
       SELECT 1 FROM devices d
        WHERE d.user_id = pushers.user_id AND d.device_id = pushers.device_id AND d.created_ts <= pushers.set_ts)`,
});

/** How a pusher's gateway took what it was sent. */
export type Delivery = PusherKey & {
  readonly place: number;
  readonly badge: number | null;
  readonly reachedTs: number | null;
  readonly failingSinceTs: number | null;
};

/** Only forward: one that was set anew meanwhile is not moved back. */
export const updateDelivery = defineQuery<Delivery>({
  name: 'push.update-delivery',
  sql: `
    UPDATE pushers SET place = max(place, :place), badge = :badge, reached_ts = :reachedTs,
           failing_since_ts = :failingSinceTs
     WHERE user_id = :userId AND app_id = :appId AND pushkey = :pushkey`,
});

/** The steps that store a pusher. */
export function storePusher(pusher: NewPusher, isOnly: boolean): WriteStep[] {
  const { userId, appId, pushkey } = pusher;
  return [
    step(deleteLonePushers, { userId }),
    ...(isOnly ? [step(deletePushersOfOthers, { userId, appId, pushkey })] : []),
    step(upsertPusher, { ...pusher }),
    step(upsertChange, { userId }, { positionOffset: 0 }),
  ];
}

/** The steps that delete a pusher; nothing happens when there is none. */
export function deletePusher({ userId, appId, pushkey }: PusherKey): WriteStep[] {
  return [
    step(deletePusherQuery, { userId, appId, pushkey }),
    step(upsertChange, { userId }, { positionOffset: 0 }),
  ];
}

/** The step that deletes a user's pushers whose devices are gone. */
export function sweepPushers(userId: string): WriteStep[] {
  return [step(deleteLonePushers, { userId })];
}

/** The step that stores how far a pusher is. */
export function storeDelivery(delivery: Delivery): WriteStep[] {
  return [step(updateDelivery, { ...delivery })];
}
