import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type ChangeParams = { readonly userId: string; readonly deviceId: string; readonly position: number };

/** Records that a device came, went or changed. */
export const insertChange = defineQuery<ChangeParams>({
  name: 'device-lists.insert-change',
  sql: 'INSERT INTO device_list_changes (stream_id, user_id, device_id) VALUES (:position, :userId, :deviceId)',
});

/** Records that a server is to be told of a change. */
export const insertOutbound = defineQuery<ChangeParams & { readonly destination: string }>({
  name: 'device-lists.insert-outbound',
  sql: `
    INSERT INTO device_list_outbound (stream_id, destination, user_id, device_id)
    VALUES (:position, :destination, :userId, :deviceId)`,
});

/** Of a user only the newest change is kept: it says all that a reader asks for, whatever the token. */
export const deleteOlderChanges = defineQuery<{ readonly userId: string; readonly position: number }>({
  name: 'device-lists.delete-older-changes',
  sql: 'DELETE FROM device_list_changes WHERE user_id = :userId AND stream_id < :position',
});

/** What other servers have not been told yet of a device is superseded: they ask for the device as it is. */
export const deleteOlderOutbound = defineQuery<ChangeParams>({
  name: 'device-lists.delete-older-outbound',
  sql: 'DELETE FROM device_list_outbound WHERE user_id = :userId AND device_id = :deviceId AND stream_id < :position',
});

/**
 * The steps that record changes: first one position for each device, then one for each device and destination. They take the place of those
 * before them, so that the tables hold no more than there are users, and devices with servers to be told.
 *
 * @returns the steps and how many positions they take
 */
export function recordChanges(
  userId: string,
  deviceIds: readonly string[],
  destinations: readonly string[],
): { readonly steps: readonly WriteStep[]; readonly positions: number } {
  const changes = deviceIds.map((deviceId, index) =>
    step(insertChange, { userId, deviceId }, { positionOffset: index }),
  );
  const pairs = deviceIds.flatMap((deviceId) =>
    destinations.map((destination) => ({ deviceId, destination })),
  );
  const outbound = pairs.map(({ deviceId, destination }, index) =>
    step(insertOutbound, { userId, deviceId, destination }, { positionOffset: deviceIds.length + index }),
  );
  const superseded = deviceIds.map((deviceId, index) =>
    step(deleteOlderOutbound, { userId, deviceId }, { positionOffset: index }),
  );
  const older = step(deleteOlderChanges, { userId }, { positionOffset: deviceIds.length - 1 });
  return {
    steps: [...changes, older, ...superseded, ...outbound],
    positions: deviceIds.length + pairs.length,
  };
}

/** Forgets what a server has been told. */
export const deleteSentOutbound = defineQuery<{ readonly destination: string; readonly upTo: number }>({
  name: 'device-lists.delete-sent',
  sql: 'DELETE FROM device_list_outbound WHERE destination = :destination AND stream_id <= :upTo',
});
