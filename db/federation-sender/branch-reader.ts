import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** Events that a walk back passes at most. */
export const WALK_EVENTS_MAX = 500;

type Walk = {
  /** Where it begins: a position of the events stream. */
  readonly from: number;
  /** Nothing older is looked at. */
  readonly oldest: number;
};

export const walkFromEvent = defineQuery<Walk & { readonly limit: number }, { readonly position: number }>({
  name: 'federation-sender.walk-back',
  // Room versions 1 and 2 name what an event follows with its hash.
  sql: `
    WITH RECURSIVE back (event_nid, position) AS (
      SELECT * FROM (
        SELECT event_nid, :from FROM events
         WHERE event_nid = :from AND (stream_ordering IS NULL OR stream_ordering = :from)
        UNION
        SELECT event_nid, :from FROM events WHERE stream_ordering = :from)
      UNION
      SELECT previous.event_nid, coalesce(previous.stream_ordering, previous.event_nid)
        FROM back
       CROSS JOIN events e ON e.event_nid = back.event_nid
       CROSS JOIN json_each(e.pdu, '$.prev_events') named
       CROSS JOIN events previous
             ON previous.event_id = CASE named.type WHEN 'array' THEN json_extract(named.value, '$[0]') ELSE named.value END
       WHERE previous.state_group IS NOT NULL AND previous.room_nid = e.room_nid
         AND coalesce(previous.stream_ordering, previous.event_nid) >= :oldest
       LIMIT :limit)
    SELECT position FROM back`,
  scans: ['back', 'named'],
});

/**
 * The events of a room that whoever has one of them comes to by asking for what it follows, and so on. Outside of the graph nothing is
 * walked through: what came before is not known there. Not all of them, should there be more than {@link WALK_EVENTS_MAX}.
 *
 * @returns positions on the events stream, the beginning included
 */
export async function readReached(db: ReadDb, walk: Walk): Promise<ReadonlySet<number>> {
  const rows = await db.all(walkFromEvent, { ...walk, limit: WALK_EVENTS_MAX });
  return new Set(rows.map(({ position }) => position));
}
