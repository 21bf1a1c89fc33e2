import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** What is to be sent to another server: one `m.direct_to_device`. */
export interface NewOutbound {
  readonly destination: string;
  /** JSON text. */
  readonly content: string;
}

export const insertOutboundMessage = defineQuery<
  { readonly destination: string; readonly content: string } & { readonly position: number }
>({
  name: 'to-device.insert-outbound',
  sql: `
    INSERT INTO to_device_outbound (stream_id, destination, content)
    VALUES (:position, :destination, :content)`,
});

/** The steps that queue them, one position each, from an offset on. */
export function storeOutbound(outbound: readonly NewOutbound[], firstOffset: number): WriteStep[] {
  return outbound.map(({ destination, content }, index) =>
    step(insertOutboundMessage, { destination, content }, { positionOffset: firstOffset + index }),
  );
}

export const deleteSentMessages = defineQuery<
  { readonly destination: string; readonly upTo: number },
  { readonly position: number }
>({
  name: 'to-device.delete-sent',
  sql: `
    DELETE FROM to_device_outbound WHERE destination = :destination AND stream_id <= :upTo
    RETURNING stream_id AS position`,
});

export const pruneOutbound = defineQuery<
  { readonly destination: string; readonly kept: number },
  { readonly position: number }
>({
  name: 'to-device.prune-outbound',
  sql: `
    DELETE FROM to_device_outbound
     WHERE destination = :destination
       AND stream_id <= (SELECT stream_id FROM to_device_outbound
                          WHERE destination = :destination
                          ORDER BY stream_id DESC LIMIT 1 OFFSET :kept)
    RETURNING stream_id AS position`,
});

/** The step that leaves a server the newest alone; its returned rows are the deleted ones. */
export function keepNewestOutbound(destination: string, kept: number): WriteStep {
  return step(pruneOutbound, { destination, kept }, { returns: true });
}
