import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import { findPartialRoom } from './partial-reader.ts';

/** Everything behind the first colon of a user id is its server: compared whole, never by its end. */
export const hostsOfRoom = defineQuery<{ readonly roomId: string }, { readonly host: string }>({
  name: 'rooms.hosts-of-room',
  sql: `
    SELECT DISTINCT substr(k.state_key, instr(k.state_key, ':') + 1) AS host
      FROM rooms r
      JOIN current_state c ON c.room_nid = r.room_nid AND c.membership = 'join'
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
     WHERE r.room_id = :roomId
     ORDER BY host`,
});

/**
 * The servers that have a joined user in the room, this one included, in alphabetical order. Of a room whose members are not all known yet
 * also those that were named as being there, whoever of theirs it is. MSC3902.
 */
export async function readHostsOfRoom(db: ReadDb, roomId: string): Promise<string[]> {
  const rows = await db.all(hostsOfRoom, { roomId });
  const known = rows.map((row) => row.host);
  const partial = await findPartialRoom(db, roomId);
  return partial === undefined ? known : [...new Set([...known, ...partial.servers])].toSorted();
}

/**
 * How many servers were named as being in a room of which no user is known there yet: the room has at least so many members beside those that
 * are known. 0 for a room whose members are all known.
 */
export async function countUnseenServers(db: ReadDb, roomId: string): Promise<number> {
  const partial = await findPartialRoom(db, roomId);
  if (partial === undefined) return 0;
  const known = new Set((await db.all(hostsOfRoom, { roomId })).map((row) => row.host));
  return partial.servers.filter((server) => !known.has(server)).length;
}

export const countJoinedOfHostQuery = defineQuery<
  { readonly roomId: string; readonly host: string },
  { readonly count: number }
>({
  name: 'rooms.count-joined-of-host',
  sql: `
    SELECT count(*) AS count
      FROM rooms r
      JOIN current_state c ON c.room_nid = r.room_nid AND c.membership = 'join'
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
     WHERE r.room_id = :roomId AND substr(k.state_key, instr(k.state_key, ':') + 1) = :host`,
});

/** How many users of a server are joined to a room. Cost: the members of the room. */
export async function countJoinedOfHost(db: ReadDb, roomId: string, host: string): Promise<number> {
  return (await db.get(countJoinedOfHostQuery, { roomId, host })).count;
}

/** The servers of all rooms that a local user has joined. */
export const hostsOfUser = defineQuery<{ readonly userId: string }, { readonly host: string }>({
  name: 'rooms.hosts-of-user',
  sql: `
    SELECT DISTINCT substr(k.state_key, instr(k.state_key, ':') + 1) AS host
      FROM user_ids u
      JOIN local_memberships m ON m.user_nid = u.user_nid AND m.membership = 'join'
      JOIN current_state c ON c.room_nid = m.room_nid AND c.membership = 'join'
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
     WHERE u.user_id = :userId
    UNION
    SELECT named.value
      FROM user_ids u
      JOIN local_memberships m ON m.user_nid = u.user_nid AND m.membership = 'join'
      JOIN partial_rooms p ON p.room_nid = m.room_nid
      CROSS JOIN json_each(p.servers) named
     WHERE u.user_id = :userId
     ORDER BY host`,
  scans: ['named'],
});

/**
 * The servers that share a room with a local user, this one included, in alphabetical order; those that were named as being in a room whose
 * members are not all known yet are among them.
 */
export async function readHostsOfUser(db: ReadDb, userId: string): Promise<string[]> {
  const rows = await db.all(hostsOfUser, { userId });
  return rows.map((row) => row.host);
}

export const joinedRoomIds = defineQuery<{ readonly userId: string }, { readonly roomId: string }>({
  name: 'rooms.joined-room-ids',
  sql: `
    SELECT r.room_id AS roomId
      FROM user_ids u
      JOIN local_memberships m ON m.user_nid = u.user_nid AND m.membership = 'join'
      JOIN rooms r ON r.room_nid = m.room_nid
     WHERE u.user_id = :userId`,
});

/** The rooms that a local user has joined. */
export async function readJoinedRoomIds(db: ReadDb, userId: string): Promise<string[]> {
  const rows = await db.all(joinedRoomIds, { userId });
  return rows.map((row) => row.roomId);
}

/** With a local user in them, too: what is kept of rooms that this server has left is not looked at. */
export const sharedRoomIds = defineQuery<{ readonly userId: string }, { readonly roomId: string }>({
  name: 'rooms.shared-room-ids',
  sql: `
    SELECT r.room_id AS roomId
      FROM state_keys k
      CROSS JOIN current_state c INDEXED BY current_state_by_joined_user
         ON c.state_key_nid = k.state_key_nid AND c.membership = 'join'
      JOIN rooms r ON r.room_nid = c.room_nid
     WHERE k.type = 'm.room.member' AND k.state_key = :userId
       AND EXISTS (SELECT 1 FROM local_memberships m WHERE m.room_nid = c.room_nid AND m.membership = 'join')`,
});

/** The rooms that a user, of whatever server, has joined and a local user has, too. */
export async function readSharedRoomIds(db: ReadDb, userId: string): Promise<string[]> {
  const rows = await db.all(sharedRoomIds, { userId });
  return rows.map((row) => row.roomId);
}
