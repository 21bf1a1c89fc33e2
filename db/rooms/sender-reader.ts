import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** One event of a timeline, looked at for who sent it. */
export interface SentEvent {
  readonly eventId: string;
  /** Its place in the timeline. */
  readonly position: number;
}

/** Some events of a timeline, the newest first. */
export interface SentEventsPage {
  /** Messages of the user that are not redacted, and are no redactions themselves. */
  readonly events: readonly SentEvent[];
  /** Where it goes on; null when everything was looked at. */
  readonly before: number | null;
}

export const readEventsBefore = defineQuery<
  {
    readonly roomId: string;
    readonly userId: string;
    readonly after: number;
    readonly before: number;
    readonly limit: number;
  },
  SentEvent & { readonly isWanted: number }
>({
  name: 'rooms.read-events-of-sender',
  sql: `
    SELECT e.event_id AS eventId, e.stream_ordering AS position,
           e.state_key_nid IS NULL AND e.redacted_by IS NULL AND json_extract(e.pdu, '$.sender') = :userId
             AND json_extract(e.pdu, '$.type') <> 'm.room.redaction' AS isWanted
      FROM events e
     WHERE e.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)
       AND e.stream_ordering > :after AND e.stream_ordering < :before AND e.rejection IS NULL
     ORDER BY e.stream_ordering DESC LIMIT :limit`,
});

export const findLastDeparture = defineQuery<
  { readonly roomId: string; readonly userId: string; readonly before: number },
  { readonly position: number }
>({
  name: 'rooms.find-last-departure',
  sql: `
    SELECT e.stream_ordering AS position
      FROM events e INDEXED BY events_by_state_key
     WHERE e.state_key_nid = (SELECT state_key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key = :userId)
       AND e.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)
       AND e.stream_ordering < :before AND e.rejection IS NULL
       AND json_extract(e.pdu, '$.content.membership') IN ('leave', 'ban')
     ORDER BY e.stream_ordering DESC LIMIT 1`,
});

/**
 * What a user has sent to a room, the newest first.
 *
 * @param range places of the timeline, both not included
 * @param limit how many events of the room are looked at, whoever sent them
 */
export async function readEventsOfSender(
  db: ReadDb,
  roomId: string,
  userId: string,
  range: { readonly after: number; readonly before: number },
  limit: number,
): Promise<SentEventsPage> {
  const rows = await db.all(readEventsBefore, { roomId, userId, ...range, limit });
  const events = rows.filter(({ isWanted }) => isWanted === 1);
  return { events, before: rows.length < limit ? null : (rows.at(-1)?.position ?? null) };
}

/** The place where the last stay of a user in a room ended that was over before a place; 0 when there was none. */
export async function findEndOfLastStay(
  db: ReadDb,
  roomId: string,
  userId: string,
  before: number,
): Promise<number> {
  return (await db.find(findLastDeparture, { roomId, userId, before }))?.position ?? 0;
}
