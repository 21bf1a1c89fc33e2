import { type LogPage, readPage } from '../kit/page.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A row of the events stream. */
export type EventsRow =
  /** An event of the timeline. */
  | {
      readonly kind: 'event';
      readonly eventId: string;
      readonly roomId: string;
      readonly type: string;
      /** Null for message events. */
      readonly stateKey: string | null;
      readonly sender: string;
      /** Of `m.room.member`; null otherwise. */
      readonly membership: string | null;
      /** The event that it redacts, where the redaction was applied; null otherwise. */
      readonly redacts: string | null;
      /** It was stored before it came into the timeline: whoever has read it then reads it differently now. */
      readonly isLate?: true;
      /** The events, by id, to which something relates now that did not, or does not any more: what it relates to, and what it redacts did. */
      readonly parents?: readonly string[];
    }
  /** Current state changed without an event of the timeline (state resolution, purge). */
  | {
      readonly kind: 'state';
      readonly roomId: string;
      readonly type: string;
      readonly stateKey: string;
      /** Null: the entry is gone. */
      readonly eventId: string | null;
      readonly membership: string | null;
    }
  /** Something happened to the whole room without an event: see {@link RoomChange}. */
  | { readonly kind: 'room'; readonly roomId: string; readonly change: RoomChange };

/**
 * `left`: no local user is in the room any more and others are, so that its state is not known from here on. `purged`: history was
 * deleted. `deleted`: nothing is left of the room. `joined`: this server has come into the room, and its state is known from here on; what
 * happened between `left` and this is not. `completed`: the state of a room that was joined without its members is whole from here on; rows of kind
 * `state` beside it say what came.
 */
export type RoomChange = 'left' | 'purged' | 'deleted' | 'joined' | 'completed';

type Range = { readonly from: number; readonly to: number; readonly limit: number };

interface EventRow {
  readonly position: number;
  readonly eventId: string | null;
  readonly roomId: string;
  readonly type: string;
  readonly stateKey: string | null;
  readonly sender: string | null;
  readonly membership: string | null;
  readonly redacts: string | null;
  readonly kind: EventsRow['kind'];
  readonly isLate: number;
  readonly parent: string | null;
  readonly parentOfRedacted: string | null;
}

/** What the event of an alias of `events` relates to. */
const parentOf = (alias: string): string => `
             CASE WHEN json_type(${alias}.pdu, '$.content."m.relates_to".event_id') = 'text'
                   AND json_type(${alias}.pdu, '$.content."m.relates_to".rel_type') = 'text'
                  THEN json_extract(${alias}.pdu, '$.content."m.relates_to".event_id') END`;

/** Events of the timeline, bare state changes and changes of whole rooms by position, ascending. */
export const readStreamRows = defineQuery<Range, EventRow>({
  name: 'rooms.read-stream-rows',
  sql: `
    SELECT * FROM (
      SELECT e.stream_ordering AS position, e.event_id AS eventId, r.room_id AS roomId,
             json_extract(e.pdu, '$.type') AS type, k.state_key AS stateKey, json_extract(e.pdu, '$.sender') AS sender,
             CASE WHEN k.type = 'm.room.member' THEN json_extract(e.pdu, '$.content.membership') END AS membership,
             t.event_id AS redacts, 'event' AS kind,
             e.event_nid <> e.stream_ordering AS isLate, ${parentOf('e')} AS parent, ${parentOf('t')} AS parentOfRedacted
        FROM events e
        JOIN rooms r ON r.room_nid = e.room_nid
        LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
        LEFT JOIN events t ON t.event_id IN (json_extract(e.pdu, '$.redacts'), json_extract(e.pdu, '$.content.redacts'))
                          AND t.redacted_by = e.event_nid
       WHERE e.stream_ordering > :from AND e.stream_ordering <= :to
       ORDER BY e.stream_ordering LIMIT :limit)
    UNION ALL
    SELECT * FROM (
      SELECT c.position, e.event_id, r.room_id, k.type, k.state_key, NULL,
             CASE WHEN k.type = 'm.room.member' THEN json_extract(e.pdu, '$.content.membership') END, NULL, 'state', 0, NULL, NULL
        FROM state_changes c
        JOIN rooms r ON r.room_nid = c.room_nid
        JOIN state_keys k ON k.state_key_nid = c.state_key_nid
        LEFT JOIN events e ON e.event_nid = c.event_nid
       WHERE c.position > :from AND c.position <= :to
       ORDER BY c.position LIMIT :limit)
    UNION ALL
    SELECT * FROM (
      SELECT position, NULL, room_id, change, NULL, NULL, NULL, NULL, 'room', 0, NULL, NULL
        FROM room_changes
       WHERE position > :from AND position <= :to
       ORDER BY position LIMIT :limit)
    ORDER BY 1 LIMIT :limit`,
});

function toRow(row: EventRow): EventsRow {
  const { eventId, roomId, type, stateKey, sender, membership, redacts } = row;
  if (row.kind === 'room') return { kind: 'room', roomId, change: type as RoomChange };
  if (row.kind === 'event') {
    if (eventId === null || sender === null) throw new Error(`no event at position ${row.position}`);
    const isLate = row.isLate === 1 && { isLate: true as const };
    const parents = [row.parent, row.parentOfRedacted].filter((parent) => parent !== null);
    const related = parents.length > 0 && { parents };
    return {
      kind: 'event',
      eventId,
      roomId,
      type,
      stateKey,
      sender,
      membership,
      redacts,
      ...isLate,
      ...related,
    };
  }
  if (stateKey === null) throw new Error(`no state key at position ${row.position}`);
  return { kind: 'state', roomId, type, stateKey, eventId, membership };
}

/** A page of the events stream. */
export function readEventRows(
  db: ReadDb,
  from: number,
  to: number,
  limit: number,
): Promise<LogPage<EventsRow>> {
  return readPage(
    async (after, upTo, most) => {
      const rows = await db.all(readStreamRows, { from: after, to: upTo, limit: most });
      return rows.map((row) => ({ position: row.position, row: toRow(row) }));
    },
    from,
    to,
    limit,
  );
}
