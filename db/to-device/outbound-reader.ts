import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What waits for another server. */
export interface OutboundMessage {
  readonly position: number;
  /** JSON: the content of an `m.direct_to_device`. */
  readonly content: string;
}

export const destinationsWithMessages = defineQuery<
  { readonly after: string; readonly limit: number },
  { readonly destination: string }
>({
  name: 'to-device.read-destinations',
  sql: `
    SELECT DISTINCT destination FROM to_device_outbound
     WHERE destination > :after ORDER BY destination LIMIT :limit`,
});

export const outboundMessages = defineQuery<
  { readonly destination: string; readonly limit: number },
  OutboundMessage
>({
  name: 'to-device.read-outbound',
  sql: `
    SELECT stream_id AS position, content FROM to_device_outbound
     WHERE destination = :destination ORDER BY stream_id LIMIT :limit`,
});

/** What waits for another server, oldest first. */
export function readOutboundMessages(
  db: ReadDb,
  destination: string,
  limit: number,
): Promise<OutboundMessage[]> {
  return db.all(outboundMessages, { destination, limit });
}
