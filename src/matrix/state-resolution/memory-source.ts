import { edgeIds } from '../events/pdu.ts';
import type { ResolutionEvent, ResolutionSource } from './resolution.ts';

/**
 * A source that has everything in memory. It throws for an event that it was not given; to `events` more may be added later.
 *
 * @param events by their ids
 * @param edges the ids of auth events, of events that are not among `events`
 */
export function createMemorySource(
  events: ReadonlyMap<string, ResolutionEvent>,
  edges?: ReadonlyMap<string, readonly string[]>,
): ResolutionSource {
  // Read from each event once: resolution walks the same edges several times.
  const known = new Map(edges);
  return {
    event(eventId) {
      const event = events.get(eventId);
      if (event === undefined) throw new Error(`the event ${eventId} was not loaded`);
      return event;
    },
    authEventIds(eventId) {
      const kept = known.get(eventId);
      if (kept !== undefined) return kept;
      const event = events.get(eventId);
      if (event === undefined) throw new Error(`the auth events of ${eventId} were not loaded`);
      const authEventIds = edgeIds(event.pdu.auth_events);
      known.set(eventId, authEventIds);
      return authEventIds;
    },
  };
}
