import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** How a server stands in a state, by the users that it has there. */
export interface HostStanding {
  readonly isJoined: boolean;
  readonly isInvited: boolean;
}

export const readHostInGroup = defineQuery<
  { readonly stateGroup: number; readonly host: string },
  { readonly membership: unknown }
>({
  name: 'rooms.read-host-in-group',
  sql: `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent),
    latest (event_nid, state_group) AS (
      SELECT n.event_nid, max(n.state_group)
        FROM chain c
        CROSS JOIN state_group_entries n ON n.state_group = c.state_group
        CROSS JOIN state_keys k ON k.state_key_nid = n.state_key_nid
       WHERE k.type = 'm.room.member' AND substr(k.state_key, instr(k.state_key, ':') + 1) = :host
       GROUP BY n.state_key_nid)
    SELECT DISTINCT json_extract(e.pdu, '$.content.membership') AS membership
      FROM latest l CROSS JOIN events e ON e.event_nid = l.event_nid`,
  scans: ['chain', 'c', 'latest', 'l'],
});

export const readVisibilityInGroup = defineQuery<
  { readonly stateGroup: number },
  { readonly value: unknown }
>({
  name: 'rooms.read-visibility-in-group',
  sql: `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent)
    SELECT json_extract(e.pdu, '$.content.history_visibility') AS value
      FROM chain c
      CROSS JOIN state_group_entries n ON n.state_group = c.state_group
      JOIN events e ON e.event_nid = n.event_nid
     WHERE n.state_key_nid = (SELECT state_key_nid FROM state_keys WHERE type = 'm.room.history_visibility' AND state_key = '')
     ORDER BY n.state_group DESC LIMIT 1`,
  scans: ['chain', 'c'],
});

/** How a server stands in the state of a group. Cost: the members of that state. */
export async function readHostStanding(db: ReadDb, stateGroup: number, host: string): Promise<HostStanding> {
  const rows = await db.all(readHostInGroup, { stateGroup, host });
  const memberships = new Set(rows.map(({ membership }) => membership));
  return { isJoined: memberships.has('join'), isInvited: memberships.has('invite') };
}

/** `content.history_visibility` in the state of a group; null where there is none. Redactions do not take it away. */
export async function findHistoryVisibility(db: ReadDb, stateGroup: number): Promise<string | null> {
  const value = (await db.find(readVisibilityInGroup, { stateGroup }))?.value;
  return typeof value === 'string' ? value : null;
}
