import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import { countUnseenServers } from './hosts-reader.ts';
import { eventIdsOf, findStateGroupAt } from './state-reader.ts';

/** A member as current state has it. */
export interface Member {
  readonly userId: string;
  readonly membership: string;
  /** The member event. */
  readonly eventId: string;
}

/** How many members a room has, as the room summary counts them. */
export interface MemberCounts {
  readonly joined: number;
  readonly invited: number;
}

/** How many members name a room that has no name. Client-Server API v1.19, "Calculating the display name for a room". */
export const HEROES_MAX = 5;

type OfRoom = { readonly roomId: string };

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';

export const readMembersByMembership = defineQuery<OfRoom & { readonly membership: string }, Member>({
  name: 'rooms.read-members-by-membership',
  sql: `
    SELECT k.state_key AS userId, c.membership, e.event_id AS eventId
      FROM current_state c
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
      JOIN ${eventIdsOf('c')}
     WHERE c.room_nid = ${ROOM_NID} AND c.membership = :membership
     ORDER BY c.event_nid`,
});

export const readAllMembers = defineQuery<OfRoom, Member>({
  name: 'rooms.read-members',
  sql: `
    SELECT k.state_key AS userId, c.membership, e.event_id AS eventId
      FROM current_state c
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
      JOIN ${eventIdsOf('c')}
     WHERE c.room_nid = ${ROOM_NID} AND c.membership IS NOT NULL
     ORDER BY c.event_nid`,
});

export const readJoinedUsers = defineQuery<OfRoom, { readonly userId: string }>({
  name: 'rooms.read-joined-users',
  sql: `
    SELECT k.state_key AS userId
      FROM current_state c JOIN state_keys k ON k.state_key_nid = c.state_key_nid
     WHERE c.room_nid = ${ROOM_NID} AND c.membership = 'join'`,
});

export const readJoinedUsersOfGroup = defineQuery<
  { readonly stateGroup: number },
  { readonly userId: string }
>({
  name: 'rooms.read-joined-users-of-group',
  sql: `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent)
    SELECT k.state_key AS userId
      FROM (SELECT n.state_key_nid, n.event_nid, max(n.state_group)
              FROM chain c CROSS JOIN state_group_entries n ON n.state_group = c.state_group
             GROUP BY n.state_key_nid) latest
      JOIN state_keys k ON k.state_key_nid = latest.state_key_nid AND k.type = 'm.room.member'
      JOIN events e ON e.event_nid = latest.event_nid
     WHERE json_extract(e.pdu, '$.content.membership') = 'join'`,
  scans: ['chain', 'c', 'latest'],
});

export const countMembersOfRoom = defineQuery<OfRoom, MemberCounts>({
  name: 'rooms.count-members',
  sql: `
    SELECT (SELECT count(*) FROM current_state c
             WHERE c.room_nid = r.room_nid AND c.membership = 'join') AS joined,
           (SELECT count(*) FROM current_state c
             WHERE c.room_nid = r.room_nid AND c.membership = 'invite') AS invited
      FROM rooms r WHERE r.room_id = :roomId`,
});

const firstMembers = (membership: string): string => `
      SELECT * FROM (
        SELECT c.state_key_nid, c.event_nid, c.membership
          FROM current_state c
         WHERE c.room_nid = ${ROOM_NID} AND c.membership = '${membership}'
         ORDER BY c.event_nid LIMIT :limit)`;

const firstOf = (one: string, other: string): string => `
    SELECT k.state_key AS userId, first.membership, e.event_id AS eventId
      FROM (${firstMembers(one)}
      UNION ALL ${firstMembers(other)}) first
      JOIN state_keys k ON k.state_key_nid = first.state_key_nid
      JOIN events e ON e.event_nid = first.event_nid
     ORDER BY first.event_nid`;

export const readFirstMembers = defineQuery<OfRoom & { readonly limit: number }, Member>({
  name: 'rooms.read-first-members',
  sql: firstOf('join', 'invite'),
  scans: ['first'],
});

export const readFirstFormerMembers = defineQuery<OfRoom & { readonly limit: number }, Member>({
  name: 'rooms.read-first-former-members',
  sql: firstOf('leave', 'ban'),
  scans: ['first'],
});

/**
 * Members of a room by current state, those who came first before the others.
 *
 * @param membership only those with this one; null for all, former members included
 */
export function readMembers(
  db: ReadDb,
  roomId: string,
  membership: string | null,
): Promise<readonly Member[]> {
  return membership === null
    ? db.all(readAllMembers, { roomId })
    : db.all(readMembersByMembership, { roomId, membership });
}

/** The user ids of all who are joined, local and remote. */
export async function readJoinedUserIds(db: ReadDb, roomId: string): Promise<readonly string[]> {
  return (await db.all(readJoinedUsers, { roomId })).map((row) => row.userId);
}

/** Who was joined after the last event of the room at or before a position of the events stream. Costs the state of then. */
export async function readJoinedUserIdsAt(
  db: ReadDb,
  roomId: string,
  position: number,
): Promise<readonly string[]> {
  const stateGroup = await findStateGroupAt(db, roomId, position);
  if (stateGroup === undefined) return [];
  return (await db.all(readJoinedUsersOfGroup, { stateGroup })).map((row) => row.userId);
}

/**
 * How many are joined and invited; zeros for an unknown room. Of a room whose members are not all known yet: at least so many, since each server
 * that was named as being there has somebody joined.
 */
export async function countMembers(db: ReadDb, roomId: string): Promise<MemberCounts> {
  const counts = await db.find(countMembersOfRoom, { roomId });
  if (counts === undefined) return { joined: 0, invited: 0 };
  return { ...counts, joined: counts.joined + (await countUnseenServers(db, roomId)) };
}

/**
 * Those who name the room for one user: the first {@link HEROES_MAX} joined or invited members other than the user, by the
 * order of their member events; where there are none, of those who left or were banned.
 */
export async function readHeroes(
  db: ReadDb,
  roomId: string,
  exceptUserId: string,
): Promise<readonly Member[]> {
  const others = (members: readonly Member[]): readonly Member[] =>
    members.filter((member) => member.userId !== exceptUserId).slice(0, HEROES_MAX);
  const params = { roomId, limit: HEROES_MAX + 1 };
  const present = others(await db.all(readFirstMembers, params));
  return present.length > 0 ? present : others(await db.all(readFirstFormerMembers, params));
}
