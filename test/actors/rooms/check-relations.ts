import { expect } from 'chai';
import { defineQuery } from '../../../db/kit/query.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import { relationOf } from '../../../src/matrix/events/relation.ts';

const shownEvents = defineQuery<
  { readonly roomId: string },
  { readonly eventId: string; readonly pdu: string; readonly place: string }
>({
  name: 'test.shown-events',
  sql: `
    SELECT event_id AS eventId, pdu, depth || ' ' || stream_ordering AS place FROM events
     WHERE room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)
       AND stream_ordering IS NOT NULL AND rejection IS NULL AND redacted_by IS NULL`,
});

const storedRelations = defineQuery<{ readonly roomId: string }, { readonly text: string }>({
  name: 'test.stored-relations',
  sql: `
    SELECT json_array(e.event_id, r.depth || ' ' || r.child_ordering, r.parent_id, r.rel_type, r.annotation_key, r.type,
                      r.sender) AS text
      FROM event_relations r JOIN events e ON e.event_nid = r.child_nid
     WHERE r.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)`,
});

const lostRelations = defineQuery<Record<string, never>, { readonly count: number }>({
  name: 'test.lost-relations',
  sql: `
    SELECT count(*) AS count FROM event_relations r
     WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.event_nid = r.child_nid AND e.room_nid = r.room_nid)`,
});

/** Checks that the index of relations says of a room what its events say, and nothing else. Gives how many there are. */
export async function checkRelations(db: ReadDb, roomId: string): Promise<number> {
  const expected = (await db.all(shownEvents, { roomId })).flatMap(({ eventId, pdu, place }) => {
    const { content, type, sender } = JSON.parse(pdu) as Pdu;
    const relation = relationOf(content);
    if (relation === null) return [];
    const { parentId, relType, key } = relation;
    return [JSON.stringify([eventId, place, parentId, relType, key, type, sender])];
  });
  const stored = (await db.all(storedRelations, { roomId })).map(({ text }) => text);
  expect(stored.toSorted(), 'what relates to events').to.deep.equal(expected.toSorted());
  expect((await db.get(lostRelations, {})).count, 'relations of events that are gone').to.equal(0);
  return stored.length;
}
