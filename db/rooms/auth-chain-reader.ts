import type { Json } from '../../src/kit/json.ts';
import { edgeIds } from '../../src/matrix/events/pdu.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** An event as the resolution of states needs it. */
export interface ChainEvent {
  readonly eventId: string;
  /** The event as it was signed, JSON. */
  readonly pdu: string;
  /** A redaction was applied to it: it counts as redacted. */
  readonly isRedacted: boolean;
  /** It was rejected. An event that soft-failed was not. */
  readonly isRejected: boolean;
}

type OfIds = { readonly eventIds: string };

export const readChainEventsById = defineQuery<
  OfIds,
  {
    readonly eventId: string;
    readonly pdu: string;
    readonly isRedacted: number;
    readonly isRejected: number;
  }
>({
  name: 'rooms.read-chain-events',
  sql: `
    SELECT e.event_id AS eventId, e.pdu, e.redacted_by IS NOT NULL AS isRedacted,
           coalesce(substr(e.rejection, 1, 8) = 'rejected', 0) AS isRejected
      FROM json_each(:eventIds) wanted CROSS JOIN events e ON e.event_id = wanted.value`,
  scans: ['wanted'],
});

export const readAuthEdgesById = defineQuery<
  OfIds,
  { readonly eventId: string; readonly authEvents: string | null }
>({
  name: 'rooms.read-auth-edges',
  sql: `
    SELECT e.event_id AS eventId, json_extract(e.pdu, '$.auth_events') AS authEvents
      FROM json_each(:eventIds) wanted CROSS JOIN events e ON e.event_id = wanted.value`,
  scans: ['wanted'],
});

export const countEntriesOfGroup = defineQuery<
  { readonly stateGroup: number; readonly limit: number },
  { readonly entries: number }
>({
  name: 'rooms.count-state-of-group',
  sql: `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent)
    SELECT count(*) AS entries
      FROM (SELECT 1 FROM chain c CROSS JOIN state_group_entries n ON n.state_group = c.state_group LIMIT :limit) few`,
  scans: ['chain', 'c', 'few'],
});

/** Those of the events that are stored. */
export async function readChainEvents(
  db: ReadDb,
  eventIds: readonly string[],
): Promise<readonly ChainEvent[]> {
  if (eventIds.length === 0) return [];
  const rows = await db.all(readChainEventsById, { eventIds: JSON.stringify(eventIds) });
  return rows.map((row) => ({ ...row, isRedacted: row.isRedacted === 1, isRejected: row.isRejected === 1 }));
}

/** The ids of the auth events of those of the events that are stored, by id. No PDU is parsed whole. */
export async function readAuthEdges(
  db: ReadDb,
  eventIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (eventIds.length === 0) return new Map();
  const rows = await db.all(readAuthEdgesById, { eventIds: JSON.stringify(eventIds) });
  return new Map(
    rows.map(({ eventId, authEvents }) => [eventId, edgeIds(JSON.parse(authEvents ?? '[]') as Json[])]),
  );
}

/** About how many entries a group's state has, those that later ones replaced included, counted up to `limit`. Cost: at most that. */
export async function countEntriesUpTo(db: ReadDb, stateGroup: number, limit: number): Promise<number> {
  return (await db.get(countEntriesOfGroup, { stateGroup, limit })).entries;
}
