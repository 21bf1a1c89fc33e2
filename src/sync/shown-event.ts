import type { ClientEvent } from './caches/client-events.ts';
import { type EventTextOptions, eventText } from './event-text.ts';
import { federationText } from './federation-text.ts';
import { selectFieldsOfText } from './filtering.ts';
import type { SyncContext } from './sync-context.ts';

/**
 * An event of a room as the filter of a sync wants it: its format and its fields. Undefined when it was purged meanwhile.
 * Client-Server API v1.19, "Filtering", `event_format` and `event_fields`.
 */
export async function shownEventText(
  { services, caller, filter }: SyncContext,
  event: ClientEvent,
  options: EventTextOptions,
): Promise<string | undefined> {
  const text =
    filter.eventFormat === 'client'
      ? await eventText(services, caller, event, options)
      : await federationText(services, caller, event, options);
  return text === undefined ? undefined : selectFieldsOfText(filter, text);
}
