import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** The membership of a local user, as it was when this server last knew. */
export interface LocalMembership {
  readonly userId: string;
  readonly roomId: string;
  readonly membership: string;
  /** The member event. */
  readonly eventId: string;
  /** On the events stream: when this membership began. */
  readonly position: number;
  /** Who wrote it: the inviter of an invite. */
  readonly sender: string;
  readonly isForgotten: boolean;
}

type MembershipRow = Omit<LocalMembership, 'isForgotten'> & { readonly isForgotten: number };

const COLUMNS = `
  u.user_id AS userId, r.room_id AS roomId, m.membership, e.event_id AS eventId, m.position, m.sender,
  m.is_forgotten AS isForgotten`;

export const findMembershipOfUser = defineQuery<
  { readonly userId: string; readonly roomId: string },
  MembershipRow
>({
  name: 'rooms.find-local-membership',
  sql: `
    SELECT ${COLUMNS}
      FROM user_ids u
      JOIN rooms r ON r.room_id = :roomId
      JOIN local_memberships m ON m.user_nid = u.user_nid AND m.room_nid = r.room_nid
      JOIN events e ON e.event_nid = m.event_nid
     WHERE u.user_id = :userId`,
});

export const readMembershipsOfRoom = defineQuery<{ readonly roomId: string }, MembershipRow>({
  name: 'rooms.read-local-memberships-of-room',
  sql: `
    SELECT ${COLUMNS}
      FROM rooms r
      JOIN local_memberships m ON m.room_nid = r.room_nid
      JOIN user_ids u ON u.user_nid = m.user_nid
      JOIN events e ON e.event_nid = m.event_nid
     WHERE r.room_id = :roomId
     ORDER BY m.event_nid`,
});

export const readJoinedLocalUsers = defineQuery<{ readonly roomId: string }, { readonly userId: string }>({
  name: 'rooms.read-joined-local-users',
  sql: `
    SELECT u.user_id AS userId
      FROM rooms r
      JOIN local_memberships m ON m.room_nid = r.room_nid AND m.membership = 'join'
      JOIN user_ids u ON u.user_nid = m.user_nid
     WHERE r.room_id = :roomId
     ORDER BY m.position`,
});

function toMembership(row: MembershipRow): LocalMembership {
  return { ...row, isForgotten: row.isForgotten === 1 };
}

/** What a local user is or was in a room; undefined for a user that was never in it. */
export async function findLocalMembership(
  db: ReadDb,
  userId: string,
  roomId: string,
): Promise<LocalMembership | undefined> {
  const row = await db.find(findMembershipOfUser, { userId, roomId });
  return row === undefined ? undefined : toMembership(row);
}

/** The memberships of all local users that ever were in a room, the oldest event first. */
export async function readLocalMemberships(db: ReadDb, roomId: string): Promise<readonly LocalMembership[]> {
  return (await db.all(readMembershipsOfRoom, { roomId })).map(toMembership);
}

/** The local users that are joined, those who joined first before the others. */
export async function readJoinedLocalUserIds(db: ReadDb, roomId: string): Promise<readonly string[]> {
  return (await db.all(readJoinedLocalUsers, { roomId })).map((row) => row.userId);
}
