import type { DelayedEvent } from '../../../../db/delayed-events/reader.ts';
import type { JsonObject } from '../../../kit/json.ts';

/**
 * A delayed event as its sender sees it, with the names that its fields have had: `delay` and `running_since`, `scheduled_at`, and those of
 * MSC4140 as it was accepted, `delay_ms` and `delayed_since_ts`.
 */
export function delayedEventJson(event: DelayedEvent): JsonObject {
  const { delayId, roomId, type, stateKey, delayMs, sinceTs } = event;
  return {
    delay_id: delayId,
    room_id: roomId,
    type,
    ...(stateKey !== null && { state_key: stateKey }),
    delay_ms: delayMs,
    delay: delayMs,
    delayed_since_ts: sinceTs,
    scheduled_at: sinceTs,
    running_since: sinceTs,
    content: JSON.parse(event.content) as JsonObject,
  };
}

function outcomeFields({ error, eventId }: DelayedEvent): JsonObject {
  return {
    ...(error !== null && { error: JSON.parse(error) as JsonObject }),
    ...(eventId !== null && { event_id: eventId }),
  };
}

/** What became of it; nothing while it is scheduled. MSC4140, "Getting delayed events". */
export function finalisedFields(event: DelayedEvent): JsonObject {
  const { finalisedTs } = event;
  if (finalisedTs === null) return {};
  return { finalised: { finalised_ts: finalisedTs, ...outcomeFields(event) } };
}

/** What became of it, as lists of older forms have it. */
export function finalisedJson(event: DelayedEvent): JsonObject {
  const { outcome, reason, finalisedTs } = event;
  return {
    delayed_event: delayedEventJson(event),
    outcome: outcome === 'sent' ? 'send' : 'cancel',
    reason: outcome === 'failed' ? 'error' : reason,
    origin_server_ts: finalisedTs,
    ...outcomeFields(event),
  };
}
