import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type OfEvent = { readonly eventId: string };

export const insertStickyEvent = defineQuery<OfEvent & { readonly expiresTs: number }>({
  name: 'rooms.insert-sticky-event',
  // One that was here already, hidden, came when it came first.
  sql: `
    INSERT INTO sticky_events (event_nid, room_nid, position, expires_ts)
    SELECT event_nid, room_nid, stream_ordering, :expiresTs FROM events
     WHERE event_id = :eventId AND redacted_by IS NULL
    ON CONFLICT (event_nid) DO UPDATE SET position = excluded.position`,
});

export const revealStickyEvent = defineQuery<OfEvent>({
  name: 'rooms.reveal-sticky-event',
  sql: `
    UPDATE sticky_events
       SET position = (SELECT stream_ordering FROM events e WHERE e.event_nid = sticky_events.event_nid)
     WHERE event_nid = (SELECT event_nid FROM events WHERE event_id = :eventId)`,
});

export const deleteStickyEvent = defineQuery<OfEvent>({
  name: 'rooms.delete-sticky-event',
  sql: 'DELETE FROM sticky_events WHERE event_nid = (SELECT event_nid FROM events WHERE event_id = :eventId)',
});

export const deleteStickyEvents = defineQuery<{ readonly eventNids: string }>({
  name: 'rooms.delete-sticky-events',
  sql: 'DELETE FROM sticky_events WHERE event_nid IN (SELECT value FROM json_each(:eventNids))',
});

export const deleteExpiredStickyEvents = defineQuery<
  { readonly limit: number; readonly now: number },
  { readonly eventNid: number }
>({
  name: 'rooms.delete-expired-sticky-events',
  sql: `
    DELETE FROM sticky_events
     WHERE event_nid IN (
       SELECT event_nid FROM sticky_events WHERE expires_ts <= :now ORDER BY expires_ts LIMIT :limit)
    RETURNING event_nid AS eventNid`,
});

/**
 * The step that makes an event sticky, after those that store it: from its place in the timeline on, if it has one.
 *
 * @param expiresTs in milliseconds since the Unix epoch
 */
export function storeSticky(eventId: string, expiresTs: number): WriteStep {
  return step(insertStickyEvent, { eventId, expiresTs });
}

/** The step that lets a hidden sticky event, if it is one, be told from its new place on. */
export function revealSticky(eventId: string): WriteStep {
  return step(revealStickyEvent, { eventId });
}

/** The step after which an event is not sticky: it was redacted. */
export function endSticky(eventId: string): WriteStep {
  return step(deleteStickyEvent, { eventId });
}

/**
 * The step after which events that leave the timeline are not sticky.
 *
 * @param eventNids JSON list of their numbers
 */
export function endStickies(eventNids: string): WriteStep {
  return step(deleteStickyEvents, { eventNids });
}

/**
 * The step that forgets events that are not sticky any more, the oldest first. Its rows are those it has forgotten.
 *
 * @param now in milliseconds since the Unix epoch
 */
export function pruneSticky(limit: number, now: number): WriteStep[] {
  return [step(deleteExpiredStickyEvents, { limit, now }, { returns: true })];
}
