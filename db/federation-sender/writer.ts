import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import type { FailingDestination, UnsentEvent } from './reader.ts';

export const upsertDestination = defineQuery<{
  readonly destination: string;
  readonly eventsSentUpTo: number;
  readonly lastHeardTs: number | null;
}>({
  name: 'federation-sender.upsert-destination',
  sql: `
    INSERT INTO destinations (destination, events_sent_up_to, last_heard_ts)
    VALUES (:destination, :eventsSentUpTo, :lastHeardTs)
    ON CONFLICT (destination) DO UPDATE
       SET events_sent_up_to = max(events_sent_up_to, excluded.events_sent_up_to),
           last_heard_ts = coalesce(excluded.last_heard_ts, last_heard_ts)`,
});

export const replaceFailing = defineQuery<FailingDestination & Record<string, string | number>>({
  name: 'federation-sender.replace-failing',
  sql: `
    INSERT OR REPLACE INTO failing_destinations
           (destination, failing_since_ts, retry_ts, failures, is_answering, last_error)
    VALUES (:destination, :failingSinceTs, :retryTs, :failures, :isAnswering, :lastError)`,
});

export const deleteFailing = defineQuery<{ readonly destination: string }>({
  name: 'federation-sender.delete-failing',
  sql: 'DELETE FROM failing_destinations WHERE destination = :destination',
});

export const insertUnsent = defineQuery<{
  readonly destination: string;
  readonly roomId: string;
  readonly eventNid: number;
}>({
  name: 'federation-sender.insert-unsent',
  sql: `
    INSERT OR IGNORE INTO unsent_events (destination, room_id, event_nid)
    VALUES (:destination, :roomId, :eventNid)`,
});

export const deleteUnsent = defineQuery<{ readonly destination: string; readonly eventNids: string }>({
  name: 'federation-sender.delete-unsent',
  sql: `
    DELETE FROM unsent_events
     WHERE destination = :destination AND event_nid IN (SELECT value FROM json_each(:eventNids))`,
});

export const upsertSentDeviceList = defineQuery<{
  readonly destination: string;
  readonly userId: string;
  readonly sentUpTo: number;
}>({
  name: 'federation-sender.upsert-sent-device-list',
  sql: `
    INSERT INTO sent_device_lists (destination, user_id, sent_up_to) VALUES (:destination, :userId, :sentUpTo)
    ON CONFLICT (destination, user_id) DO UPDATE SET sent_up_to = max(sent_up_to, excluded.sent_up_to)`,
});

export const replaceProgress = defineQuery<{ readonly eventsUpTo: number }>({
  name: 'federation-sender.replace-progress',
  sql: 'INSERT OR REPLACE INTO federation_progress (only_row, events_up_to) VALUES (1, :eventsUpTo)',
});

/** The steps that store what is known of a server's being out of reach; null: it is not any more. */
export function storeFailing(destination: string, failing: FailingDestination | null): WriteStep {
  return failing === null
    ? step(deleteFailing, { destination })
    : step(replaceFailing, { ...failing, destination });
}

/** What became of a server's events. */
export interface EventProgress {
  readonly destination: string;
  /** It has what was for it up to here, but for what is noted as unsent. */
  readonly sentUpTo: number;
  readonly lastHeardTs: number | null;
  /** What is to be noted as unsent. */
  readonly unsent: readonly UnsentEvent[];
  /** What needs to be noted no more: it was sent, or what is noted leads back to it. */
  readonly settled: readonly number[];
}

/** The steps that store how far a server is. */
export function storeProgress(progress: EventProgress): WriteStep[] {
  const { destination, sentUpTo, lastHeardTs, unsent, settled } = progress;
  const eventNids = JSON.stringify(settled);
  return [
    step(upsertDestination, { destination, eventsSentUpTo: sentUpTo, lastHeardTs }),
    ...(settled.length > 0 ? [step(deleteUnsent, { destination, eventNids })] : []),
    ...unsent.map(({ roomId, eventNid }) => step(insertUnsent, { destination, roomId, eventNid })),
  ];
}
