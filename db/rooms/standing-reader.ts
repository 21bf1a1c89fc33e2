import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What a state says about what one user may see. Neither of the two is taken away by a redaction. */
export interface StandingInState {
  /** `content.history_visibility`; null where the state has no such event, or it has no such key. */
  readonly historyVisibility: string | null;
  /** The user's membership; null for none. */
  readonly membership: string | null;
}

export const readStandingInGroup = defineQuery<
  { readonly stateGroup: number; readonly userId: string },
  { readonly isMember: number; readonly value: unknown }
>({
  name: 'rooms.read-standing-in-group',
  // One walk for both; with max() the other columns are those of its row.
  sql: `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent),
    places (state_key_nid, is_member) AS (
      SELECT state_key_nid, 0 FROM state_keys WHERE type = 'm.room.history_visibility' AND state_key = ''
      UNION ALL
      SELECT state_key_nid, 1 FROM state_keys WHERE type = 'm.room.member' AND state_key = :userId),
    latest (is_member, event_nid, state_group) AS (
      SELECT p.is_member, n.event_nid, max(n.state_group)
        FROM places p CROSS JOIN chain c
       CROSS JOIN state_group_entries n ON n.state_group = c.state_group AND n.state_key_nid = p.state_key_nid
       GROUP BY p.is_member)
    SELECT l.is_member AS isMember,
           json_extract(e.pdu, iif(l.is_member, '$.content.membership', '$.content.history_visibility')) AS value
      FROM latest l JOIN events e ON e.event_nid = l.event_nid`,
  scans: ['chain', 'c', 'places', 'p', 'latest', 'l'],
});

/** What the state of a group says about what a user may see. Cost: one walk along the group's chain. */
export async function findStandingInGroup(
  db: ReadDb,
  stateGroup: number,
  userId: string,
): Promise<StandingInState> {
  const rows = await db.all(readStandingInGroup, { stateGroup, userId });
  const textOf = (isMember: number): string | null => {
    const value = rows.find((row) => row.isMember === isMember)?.value;
    return typeof value === 'string' ? value : null;
  };
  return { historyVisibility: textOf(0), membership: textOf(1) };
}
