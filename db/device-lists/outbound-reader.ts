import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A change that another server is to be told of. */
export interface OutboundChange {
  readonly position: number;
  readonly userId: string;
  /** Or the public key of a cross-signing key. */
  readonly deviceId: string;
}

export const destinationsWithDeviceLists = defineQuery<
  { readonly after: string; readonly limit: number },
  { readonly destination: string }
>({
  name: 'device-lists.read-destinations',
  sql: `
    SELECT DISTINCT destination FROM device_list_outbound
     WHERE destination > :after ORDER BY destination LIMIT :limit`,
});

export const outboundChanges = defineQuery<
  { readonly destination: string; readonly limit: number },
  OutboundChange
>({
  name: 'device-lists.read-outbound',
  sql: `
    SELECT stream_id AS position, user_id AS userId, device_id AS deviceId FROM device_list_outbound
     WHERE destination = :destination ORDER BY stream_id LIMIT :limit`,
});

/** What another server is still to be told, oldest first. */
export function readOutboundChanges(
  db: ReadDb,
  destination: string,
  limit: number,
): Promise<OutboundChange[]> {
  return db.all(outboundChanges, { destination, limit });
}

export const newestOutbound = defineQuery<
  { readonly destination: string; readonly userId: string },
  { readonly position: number | null }
>({
  name: 'device-lists.find-newest-outbound',
  sql: `
    SELECT max(stream_id) AS position FROM device_list_outbound
     WHERE user_id = :userId AND destination = :destination`,
});

/** The newest change of a user's devices that another server is still to be told, or is being told now; null for none. */
export async function findNewestOutbound(
  db: ReadDb,
  destination: string,
  userId: string,
): Promise<number | null> {
  return (await db.get(newestOutbound, { destination, userId })).position;
}
