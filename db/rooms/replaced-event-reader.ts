import { type Json, isJsonObject } from '../../src/kit/json.ts';
import { edgeIds } from '../../src/matrix/events/pdu.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import type { StoredEvent } from './event-reader.ts';
import { findStateOfGroup } from './state-reader.ts';

/** The state after an event that another one follows. */
interface StateAfterPrevious {
  readonly stateGroup: number;
}

/** The event that held a place before another one in the order of the timeline. */
interface LastOfPlace {
  /** Null: no event of the timeline did. */
  readonly eventId: string | null;
  /** 1 where the order of the timeline is the order of the state: see {@link findReplacedEvent}. */
  readonly isCertain: number;
}

/** Everything behind the first colon of a user id. */
const domain = (userId: string): string => `substr(${userId}, instr(${userId}, ':'))`;

export const findLastOfPlace = defineQuery<{ readonly eventNid: number }, LastOfPlace>({
  name: 'rooms.find-last-of-place',
  sql: `
    SELECT p.event_id AS eventId,
           e.received_from IS NULL AND p.received_from IS NULL
             AND (p.event_nid IS NOT NULL
                  OR ${domain('r.creator')} = ${domain(`json_extract(e.pdu, '$.sender')`)})
             AND NOT EXISTS (SELECT 1 FROM room_changes c WHERE c.room_id = r.room_id)
             AND NOT EXISTS (
               SELECT 1 FROM state_changes s INDEXED BY state_changes_by_state_key
                WHERE s.state_key_nid = e.state_key_nid AND s.room_nid = e.room_nid
                  AND s.position < e.stream_ordering) AS isCertain
      FROM events e
      JOIN rooms r ON r.room_nid = e.room_nid
      LEFT JOIN events p ON p.event_nid = (
        SELECT q.event_nid FROM events q INDEXED BY events_by_state_key
         WHERE q.state_key_nid = e.state_key_nid AND q.room_nid = e.room_nid
           AND q.stream_ordering < e.stream_ordering AND q.rejection IS NULL
         ORDER BY q.stream_ordering DESC LIMIT 1)
     WHERE e.event_nid = :eventNid`,
});

export const readStatesAfter = defineQuery<{ readonly eventIds: string }, StateAfterPrevious>({
  name: 'rooms.read-states-after',
  sql: `
    SELECT e.state_group AS stateGroup
      FROM json_each(:eventIds) wanted CROSS JOIN events e ON e.event_id = wanted.value
     WHERE e.state_group IS NOT NULL
     ORDER BY e.event_nid`,
  scans: ['wanted'],
});

export const findGroupBefore = defineQuery<{ readonly stateGroup: number }, { readonly parent: number }>({
  name: 'rooms.find-group-before',
  // The layout of groups may put another one in the place of the parent: only where it is one change behind, it is the parent.
  sql: `
    SELECT p.state_group AS parent
      FROM state_groups g JOIN state_groups p ON p.state_group = g.parent
     WHERE g.state_group = :stateGroup AND g.deltas = p.deltas + 1`,
});

function previousIdsOf(event: StoredEvent): readonly string[] {
  const pdu = JSON.parse(event.pdu) as Json;
  const edges = isJsonObject(pdu) ? pdu['prev_events'] : undefined;
  return Array.isArray(edges) ? edgeIds(edges as readonly Json[]) : [];
}

/**
 * The event that held the place of a state event in the state before it: what it replaced. In a room that has forked that is not
 * always the one before it in the timeline. Where nobody else has written (the event and the one before it are ours, nothing was
 * resolved, this server never left the room) it is, and one look into an index tells; otherwise the states after the events that it follows
 * decide, and where these differ, the state that it was made from.
 *
 * @param event a state event of a timeline
 * @returns undefined when it replaced nothing
 */
export async function findReplacedEvent(db: ReadDb, event: StoredEvent): Promise<string | undefined> {
  const { type, stateKey, stateGroup } = event;
  if (stateKey === null) return undefined;
  const last = await db.get(findLastOfPlace, { eventNid: event.eventNid });
  if (last.isCertain === 1) return last.eventId ?? undefined;
  const previousIds = previousIdsOf(event);
  const states = await db.all(readStatesAfter, { eventIds: JSON.stringify(previousIds) });
  const groups = new Set(states.map((state) => state.stateGroup));
  const found = new Set<string | undefined>();
  for (const group of groups) found.add(await findStateOfGroup(db, group, type, stateKey));
  const [first] = found;
  if (found.size === 1 && states.length === previousIds.length) return first;
  const before = stateGroup === null ? undefined : await db.find(findGroupBefore, { stateGroup });
  if (before !== undefined) return findStateOfGroup(db, before.parent, type, stateKey);
  // The last one of those that are known; they came in this order.
  return [...found].findLast((eventId) => eventId !== undefined) ?? last.eventId ?? undefined;
}

/** The queries of {@link findReplacedEvent}, for caches that use it. */
export const FIND_REPLACED_EVENT_QUERIES = [findLastOfPlace, readStatesAfter, findGroupBefore] as const;
