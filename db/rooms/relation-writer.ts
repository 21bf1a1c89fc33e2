import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type OfEvent = { readonly eventId: string };

const RELATES_TO = `'$.content."m.relates_to"`;

export const insertRelation = defineQuery<OfEvent>({
  name: 'rooms.insert-relation',
  // Whatever stands there already is the same: an event relates once.
  sql: `
    INSERT OR IGNORE INTO event_relations
      (parent_id, depth, child_ordering, child_nid, room_nid, rel_type, type, sender, annotation_key)
    SELECT json_extract(e.pdu, ${RELATES_TO}.event_id'), e.depth, e.stream_ordering, e.event_nid, e.room_nid,
           json_extract(e.pdu, ${RELATES_TO}.rel_type'), json_extract(e.pdu, '$.type'), json_extract(e.pdu, '$.sender'),
           CASE WHEN json_type(e.pdu, ${RELATES_TO}.key') = 'text'
                THEN json_extract(e.pdu, ${RELATES_TO}.key') END
      FROM events e
     WHERE e.event_id = :eventId AND e.stream_ordering IS NOT NULL AND e.rejection IS NULL AND e.redacted_by IS NULL
       AND json_type(e.pdu, ${RELATES_TO}.event_id') = 'text'
       AND json_type(e.pdu, ${RELATES_TO}.rel_type') = 'text'`,
});

export const deleteRelation = defineQuery<OfEvent>({
  name: 'rooms.delete-relation',
  sql: 'DELETE FROM event_relations WHERE child_nid = (SELECT event_nid FROM events WHERE event_id = :eventId)',
});

export const deleteRelationsOfEvents = defineQuery<{ readonly eventNids: string }>({
  name: 'rooms.delete-relations-of-events',
  sql: 'DELETE FROM event_relations WHERE child_nid IN (SELECT value FROM json_each(:eventNids))',
});

/**
 * The step that notes what an event relates to, after those that store it: of an event of the timeline that is accepted, not redacted, and
 * relates to something. Of any other it notes nothing.
 */
export function storeRelation(eventId: string): WriteStep {
  return step(insertRelation, { eventId });
}

/** The step after which an event relates to nothing: it was redacted. */
export function endRelation(eventId: string): WriteStep {
  return step(deleteRelation, { eventId });
}

/**
 * The step after which events that leave the timeline relate to nothing.
 *
 * @param eventNids JSON list of their numbers
 */
export function endRelations(eventNids: string): WriteStep {
  return step(deleteRelationsOfEvents, { eventNids });
}
