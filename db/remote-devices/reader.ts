import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A device list of a remote user that is kept. */
export type StoredList = {
  readonly userId: string;
  /** The newest update of its server that is in it. */
  readonly streamId: number;
  /** 1: something was missed. */
  readonly isStale: 0 | 1;
  /** JSON texts. */
  readonly masterKey: string | null;
  readonly selfSigningKey: string | null;
};

/** A device of a list that has keys. */
export type StoredRemoteDevice = {
  readonly userId: string;
  readonly deviceId: string;
  /** JSON text, with the device's name under `unsigned`. */
  readonly keys: string;
};

type Users = { readonly userIds: string };

export const listsOfUsers = defineQuery<Users, StoredList>({
  name: 'remote-devices.read-lists',
  sql: `
    SELECT l.user_id AS userId, l.newest_update AS streamId, l.is_stale AS isStale, l.master_key AS masterKey,
           l.self_signing_key AS selfSigningKey
      FROM json_each(:userIds) wanted
     CROSS JOIN remote_device_lists l ON l.user_id = wanted.value`,
});

/** The lists of those of the users whose devices are followed. */
export function readRemoteLists(db: ReadDb, userIds: readonly string[]): Promise<StoredList[]> {
  return db.all(listsOfUsers, { userIds: JSON.stringify(userIds) });
}

export const devicesOfUsers = defineQuery<Users, StoredRemoteDevice>({
  name: 'remote-devices.read-devices',
  sql: `
    SELECT d.user_id AS userId, d.device_id AS deviceId, d.keys AS keys
      FROM json_each(:userIds) wanted
     CROSS JOIN remote_devices d ON d.user_id = wanted.value`,
});

/** The devices of those of the users whose devices are followed. */
export function readRemoteDevices(db: ReadDb, userIds: readonly string[]): Promise<StoredRemoteDevice[]> {
  return db.all(devicesOfUsers, { userIds: JSON.stringify(userIds) });
}

export const listsAfter = defineQuery<
  { readonly after: string; readonly limit: number },
  { readonly userId: string }
>({
  name: 'remote-devices.read-lists-after',
  sql: 'SELECT user_id AS userId FROM remote_device_lists WHERE user_id > :after ORDER BY user_id LIMIT :limit',
});

/** Whose devices are followed, in alphabetical order. */
export async function readFollowedUsers(db: ReadDb, after: string, limit: number): Promise<string[]> {
  return (await db.all(listsAfter, { after, limit })).map(({ userId }) => userId);
}

export const unannouncedChanges = defineQuery<
  { readonly limit: number },
  { readonly userId: string; readonly deviceId: string }
>({
  name: 'remote-devices.read-unannounced',
  sql: 'SELECT user_id AS userId, device_id AS deviceId FROM unannounced_remote_changes LIMIT :limit',
  scans: ['unannounced_remote_changes'],
});

/** Changes that the owner of device lists has not been told of, by user. */
export function readUnannounced(
  db: ReadDb,
  limit: number,
): Promise<{ readonly userId: string; readonly deviceId: string }[]> {
  return db.all(unannouncedChanges, { limit });
}

export const departureProgress = defineQuery<Record<never, never>, { readonly eventsUpTo: number }>({
  name: 'remote-devices.find-progress',
  sql: 'SELECT events_up_to AS eventsUpTo FROM remote_devices_progress WHERE only_row = 1',
});

/** Up to which position of the events stream it was looked who has left; undefined before the first time. */
export async function findDepartureProgress(db: ReadDb): Promise<number | undefined> {
  return (await db.find(departureProgress, {}))?.eventsUpTo;
}

/** Somebody has left a room, or (null) a whole room is not what it was for this server. */
export type Departure = { readonly position: number; readonly userId: string | null };

const MEMBER = `k.type = 'm.room.member'`;

export const departuresInRange = defineQuery<
  { readonly from: number; readonly to: number; readonly limit: number },
  Departure
>({
  name: 'remote-devices.read-departures',
  sql: `
    SELECT * FROM (
      SELECT e.stream_ordering AS position, k.state_key AS userId
        FROM events e
        JOIN state_keys k ON k.state_key_nid = e.state_key_nid AND ${MEMBER}
       WHERE e.stream_ordering > :from AND e.stream_ordering <= :to AND e.rejection IS NULL
         AND json_extract(e.pdu, '$.content.membership') <> 'join'
       ORDER BY e.stream_ordering LIMIT :limit)
    UNION ALL
    SELECT * FROM (
      SELECT c.position, k.state_key
        FROM state_changes c
        JOIN state_keys k ON k.state_key_nid = c.state_key_nid AND ${MEMBER}
       WHERE c.position > :from AND c.position <= :to
       ORDER BY c.position LIMIT :limit)
    UNION ALL
    SELECT * FROM (
      SELECT position, NULL FROM room_changes
       WHERE position > :from AND position <= :to
       ORDER BY position LIMIT :limit)
    ORDER BY 1 LIMIT :limit`,
});

/** Who left any room with `from < position <= to` on the events stream, ascending; users of this server are among them. */
export function readDepartures(db: ReadDb, from: number, to: number, limit: number): Promise<Departure[]> {
  return db.all(departuresInRange, { from, to, limit });
}
