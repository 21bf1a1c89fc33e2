import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

const DEVICES_WITH_KEYS = `
      SELECT user_id, device_id FROM device_keys
      UNION SELECT user_id, device_id FROM one_time_keys
      UNION SELECT user_id, device_id FROM fallback_keys`;
// Once, while no server runs: everybody's keys are looked at.
const WHOLE = ['device_keys', 'one_time_keys', 'fallback_keys', 'known'] as const;

export const countDevicesWithKeys = defineQuery<Record<never, never>, { readonly devices: number }>({
  name: 'keys.count-devices-with-keys',
  sql: `SELECT count(*) AS devices FROM (${DEVICES_WITH_KEYS}) known`,
  scans: WHOLE,
});

/** How many devices have keys of whatever kind: as many positions does {@link renewKeys} take. */
export async function readDevicesWithKeys(db: ReadDb): Promise<number> {
  return (await db.get(countDevicesWithKeys, {})).devices;
}

export const changeAllCounts = defineQuery<{ readonly after: number }>({
  name: 'keys.change-all-counts',
  sql: `
    INSERT OR REPLACE INTO key_count_changes (user_id, device_id, stream_id)
    SELECT user_id, device_id, CAST(:after AS INTEGER) + row_number() OVER (ORDER BY user_id, device_id)
      FROM (${DEVICES_WITH_KEYS}) known`,
  scans: WHOLE,
});

export const deleteAllOneTimeKeys = defineQuery<Record<never, never>>({
  name: 'keys.delete-all-one-time-keys',
  sql: 'DELETE FROM one_time_keys',
  scans: WHOLE,
});

export const useAllFallbackKeys = defineQuery<Record<never, never>>({
  name: 'keys.use-all-fallback-keys',
  sql: 'UPDATE fallback_keys SET is_used = 1',
  scans: WHOLE,
});

export const unannounceAllUsers = defineQuery<Record<never, never>>({
  name: 'keys.unannounce-all-users',
  sql: `
    INSERT OR IGNORE INTO unannounced_key_changes (user_id, device_id)
    SELECT user_id, min(device_id) FROM device_keys GROUP BY user_id`,
  scans: WHOLE,
});

/**
 * The steps that make clients bring new keys after a restore: each one-time key may have been handed out since the backup, so that all go, and
 * with them what was claimed; fallback keys stay, for want of others, and count as used, so that they are replaced. Everybody's devices are
 * announced as changed when the server starts: what others know of them may be newer than what is here, or be gone.
 *
 * @param after the position of the keys stream after which the changes stand
 */
export function renewKeys(after: number): WriteStep[] {
  return [
    step(changeAllCounts, { after }),
    step(deleteAllOneTimeKeys, {}),
    step(useAllFallbackKeys, {}),
    step(unannounceAllUsers, {}),
  ];
}
