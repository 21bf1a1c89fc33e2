import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** Of users of other servers: the rooms that they and somebody here have joined. */
const SHARED_ROOMS = `
      JOIN current_state c ON c.state_key_nid = k.state_key_nid AND c.membership = 'join'
      JOIN local_memberships m ON m.room_nid = c.room_nid AND m.membership = 'join'`;

export const roomsOfRemoteUser = defineQuery<{ readonly userId: string }, { readonly roomId: string }>({
  name: 'rooms.rooms-of-remote-user',
  sql: `
    SELECT r.room_id AS roomId
      FROM state_keys k
      JOIN current_state c ON c.state_key_nid = k.state_key_nid AND c.membership = 'join'
      JOIN rooms r ON r.room_nid = c.room_nid
     WHERE k.type = 'm.room.member' AND k.state_key = :userId`,
});

/** The rooms that a user of another server has joined, as far as this server knows. */
export async function readRoomsOfRemoteUser(db: ReadDb, userId: string): Promise<string[]> {
  return (await db.all(roomsOfRemoteUser, { userId })).map(({ roomId }) => roomId);
}

export const sharingUsers = defineQuery<{ readonly userIds: string }, { readonly userId: string }>({
  name: 'rooms.sharing-users',
  sql: `
    SELECT wanted.value AS userId
      FROM json_each(:userIds) wanted
     WHERE EXISTS (
       SELECT 1 FROM state_keys k ${SHARED_ROOMS}
        WHERE k.type = 'm.room.member' AND k.state_key = wanted.value)`,
});

/** Those of the users of other servers who share a room with somebody here. */
export async function readSharingUsers(db: ReadDb, userIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db.all(sharingUsers, { userIds: JSON.stringify(userIds) });
  return new Set(rows.map(({ userId }) => userId));
}

export const usersSharingSince = defineQuery<
  { readonly userIds: string; readonly position: number },
  { readonly userId: string }
>({
  name: 'rooms.users-sharing-since',
  sql: `
    SELECT wanted.value AS userId
      FROM json_each(:userIds) wanted
     WHERE EXISTS (
       SELECT 1 FROM state_keys k ${SHARED_ROOMS}
        WHERE k.type = 'm.room.member' AND k.state_key = wanted.value
          AND c.event_nid < :position AND m.position < :position)`,
});

/**
 * Those of the users of other servers who share a room with somebody here and did so before a position of the events stream. Who has changed
 * the name in all of those rooms since is missing.
 */
export async function readUsersSharingSince(
  db: ReadDb,
  userIds: readonly string[],
  position: number,
): Promise<ReadonlySet<string>> {
  const rows = await db.all(usersSharingSince, { userIds: JSON.stringify(userIds), position });
  return new Set(rows.map(({ userId }) => userId));
}
