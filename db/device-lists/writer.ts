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

/**
 * The steps that record changes: first one position for each device, then one for each device and destination.
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
  return { steps: [...changes, ...outbound], positions: deviceIds.length + pairs.length };
}
