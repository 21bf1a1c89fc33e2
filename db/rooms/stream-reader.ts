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
    };

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
  readonly isEvent: number;
}

/** Events of the timeline and bare state changes by position, ascending. */
export const readStreamRows = defineQuery<Range, EventRow>({
  name: 'rooms.read-stream-rows',
  sql: `
    SELECT * FROM (
      SELECT e.stream_ordering AS position, e.event_id AS eventId, r.room_id AS roomId,
             json_extract(e.pdu, '$.type') AS type, k.state_key AS stateKey, json_extract(e.pdu, '$.sender') AS sender,
             CASE WHEN k.type = 'm.room.member' THEN json_extract(e.pdu, '$.content.membership') END AS membership,
             t.event_id AS redacts, 1 AS isEvent
        FROM events e
        JOIN rooms r ON r.room_nid = e.room_nid
        LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
        LEFT JOIN events t ON t.event_id = coalesce(json_extract(e.pdu, '$.redacts'), json_extract(e.pdu, '$.content.redacts'))
                          AND t.redacted_by = e.event_nid
       WHERE e.stream_ordering > :from AND e.stream_ordering <= :to
       ORDER BY e.stream_ordering LIMIT :limit)
    UNION ALL
    SELECT * FROM (
      SELECT c.position, e.event_id, r.room_id, k.type, k.state_key, NULL,
             CASE WHEN k.type = 'm.room.member' THEN json_extract(e.pdu, '$.content.membership') END, NULL, 0
        FROM state_changes c
        JOIN rooms r ON r.room_nid = c.room_nid
        JOIN state_keys k ON k.state_key_nid = c.state_key_nid
        LEFT JOIN events e ON e.event_nid = c.event_nid
       WHERE c.position > :from AND c.position <= :to
       ORDER BY c.position LIMIT :limit)
    ORDER BY 1 LIMIT :limit`,
});

function toRow(row: EventRow): EventsRow {
  const { eventId, roomId, type, stateKey, sender, membership, redacts } = row;
  if (row.isEvent === 1) {
    if (eventId === null || sender === null) throw new Error(`no event at position ${row.position}`);
    return { kind: 'event', eventId, roomId, type, stateKey, sender, membership, redacts };
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
