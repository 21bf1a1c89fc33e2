import { defineQuery, type Query } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { insertRoomChange } from './out-of-band-writer.ts';
import { deletePartialRoom } from './partial-writer.ts';
import { raiseDeletedNumbers } from './purge-writer.ts';
import { CURRENT_STATE_BYTES, LOCAL_MEMBERSHIP_BYTES, NUMBERS_ROW_BYTES } from './row-sizes.ts';

type OfRoom = { readonly roomNid: number };
type Some = OfRoom & { readonly limit: number };

export const insertBlock = defineQuery<{
  readonly roomId: string;
  readonly userId: string | null;
  readonly now: number;
}>({
  name: 'rooms.insert-block',
  sql: `
    INSERT INTO blocked_rooms (room_id, user_id, blocked_ts) VALUES (:roomId, :userId, :now)
    ON CONFLICT (room_id) DO NOTHING`,
});

export const deleteBlock = defineQuery<{ readonly roomId: string }>({
  name: 'rooms.delete-block',
  sql: 'DELETE FROM blocked_rooms WHERE room_id = :roomId',
});

type EndedParams = {
  readonly userId: string;
  readonly roomId: string;
  readonly position: number;
  readonly eventId: string;
  readonly roomVersion: string;
  readonly pdu: string;
  readonly now: number;
};

export const replaceEnded = defineQuery<EndedParams>({
  name: 'rooms.replace-ended-membership',
  sql: `
    INSERT OR REPLACE INTO ended_memberships (user_id, room_id, position, event_id, room_version, pdu, deleted_ts)
    VALUES (:userId, :roomId, :position, :eventId, :roomVersion, :pdu, :now)`,
});

export const deleteOldEnded = defineQuery<{ readonly before: number; readonly limit: number }>({
  name: 'rooms.delete-old-ended-memberships',
  sql: `
    DELETE FROM ended_memberships
     WHERE (user_id, room_id) IN (
       SELECT user_id, room_id FROM ended_memberships INDEXED BY ended_memberships_by_age
        WHERE deleted_ts < :before LIMIT :limit)`,
});

export const insertDeletedRoom = defineQuery<OfRoom & { readonly roomId: string }>({
  name: 'rooms.insert-deleted-room',
  sql: 'INSERT INTO deleted_rooms (room_nid, room_id) VALUES (:roomNid, :roomId)',
});

export const deleteDeletedRoom = defineQuery<OfRoom>({
  name: 'rooms.delete-deleted-room',
  sql: 'DELETE FROM deleted_rooms WHERE room_nid = :roomNid',
});

export const deleteRoomRow = defineQuery<OfRoom>({
  name: 'rooms.delete-room',
  sql: 'DELETE FROM rooms WHERE room_nid = :roomNid',
});

export const deleteAliasesOfRoom = defineQuery<OfRoom>({
  name: 'rooms.delete-aliases-of-room',
  sql: 'DELETE FROM room_aliases WHERE room_nid = :roomNid',
});

export const deleteOldRoomChanges = defineQuery<{ readonly roomId: string; readonly limit: number }>({
  name: 'rooms.delete-old-room-changes',
  // The last one says that it was deleted.
  sql: `
    DELETE FROM room_changes
     WHERE position IN (
       SELECT position FROM room_changes INDEXED BY room_changes_by_room
        WHERE room_id = :roomId
          AND position < (SELECT max(position) FROM room_changes WHERE room_id = :roomId) LIMIT :limit)`,
});

export const deleteCurrentStateOfRoom = defineQuery<Some, { readonly deleted: number }>({
  name: 'rooms.delete-current-state-of-room',
  sql: `
    DELETE FROM current_state
     WHERE room_nid = :roomNid AND state_key_nid IN (
       SELECT state_key_nid FROM current_state WHERE room_nid = :roomNid ORDER BY state_key_nid LIMIT :limit)
    RETURNING 1 AS deleted`,
});

export const deleteExtremitiesOfRoom = defineQuery<Some, { readonly deleted: number }>({
  name: 'rooms.delete-extremities-of-room',
  sql: `
    DELETE FROM forward_extremities
     WHERE room_nid = :roomNid AND event_nid IN (
       SELECT event_nid FROM forward_extremities WHERE room_nid = :roomNid LIMIT :limit)
    RETURNING 1 AS deleted`,
});

export const deleteStateChangesOfRoom = defineQuery<Some, { readonly deleted: number }>({
  name: 'rooms.delete-state-changes-of-room',
  sql: `
    DELETE FROM state_changes
     WHERE position IN (
       SELECT position FROM state_changes INDEXED BY state_changes_by_room WHERE room_nid = :roomNid LIMIT :limit)
    RETURNING 1 AS deleted`,
});

export const deleteResolvedStatesOfRoom = defineQuery<Some, { readonly deleted: number }>({
  name: 'rooms.delete-resolved-states-of-room',
  sql: `
    DELETE FROM resolved_states
     WHERE position IN (
       SELECT position FROM resolved_states INDEXED BY resolved_states_by_room WHERE room_nid = :roomNid LIMIT :limit)
    RETURNING 1 AS deleted`,
});

export const deleteLocalMembershipsOfRoom = defineQuery<Some, { readonly deleted: number }>({
  name: 'rooms.delete-local-memberships-of-room',
  sql: `
    DELETE FROM local_memberships
     WHERE room_nid = :roomNid AND user_nid IN (
       SELECT user_nid FROM local_memberships INDEXED BY local_memberships_by_room WHERE room_nid = :roomNid LIMIT :limit)
    RETURNING 1 AS deleted`,
});

export const deletePurgeEnd = defineQuery<OfRoom>({
  name: 'rooms.delete-purge-end',
  sql: 'DELETE FROM purged_histories WHERE room_nid = :roomNid',
});

export const deletePlacementsOfRoom = defineQuery<Some, { readonly deleted: number }>({
  name: 'rooms.delete-partial-placements-of-room',
  sql: `
    DELETE FROM partial_placements
     WHERE position IN (
       SELECT position FROM partial_placements INDEXED BY partial_placements_by_room WHERE room_nid = :roomNid LIMIT :limit)
    RETURNING 1 AS deleted`,
});

export const deletePreparedStatesOfRoom = defineQuery<Some, { readonly deleted: number }>({
  name: 'rooms.delete-prepared-states-of-room',
  sql: `
    DELETE FROM prepared_states
     WHERE room_nid = :roomNid AND state_group IN (
       SELECT state_group FROM prepared_states WHERE room_nid = :roomNid LIMIT :limit)
    RETURNING 1 AS deleted`,
});

/** A table of which a room's rows go a few at a time. Each row deleted is a row of the outcome; `rowBytes` is what it took, about. */
export interface RoomTable {
  readonly query: Query<Some>;
  readonly rowBytes: number;
}

/** The tables that belong to rooms, but for events and state groups. */
export const ROOM_TABLES: readonly RoomTable[] = [
  { query: deleteCurrentStateOfRoom, rowBytes: CURRENT_STATE_BYTES },
  { query: deleteExtremitiesOfRoom, rowBytes: NUMBERS_ROW_BYTES },
  { query: deleteStateChangesOfRoom, rowBytes: 3 * NUMBERS_ROW_BYTES },
  { query: deleteResolvedStatesOfRoom, rowBytes: 2 * NUMBERS_ROW_BYTES },
  { query: deleteLocalMembershipsOfRoom, rowBytes: LOCAL_MEMBERSHIP_BYTES },
  { query: deletePlacementsOfRoom, rowBytes: 3 * NUMBERS_ROW_BYTES },
  { query: deletePreparedStatesOfRoom, rowBytes: NUMBERS_ROW_BYTES },
];

/** The step that deletes some rows of a room. Its rows are as many as those it has deleted. */
export function deleteSome({ query }: RoomTable, roomNid: number, limit: number): WriteStep {
  return step(query, { roomNid, limit }, { returns: true });
}

/** The step that blocks a room, or lets people in again. */
export function storeBlock(
  roomId: string,
  isBlocked: boolean,
  userId: string | null,
  now: number,
): WriteStep {
  return isBlocked ? step(insertBlock, { roomId, userId, now }) : step(deleteBlock, { roomId });
}

/** The step that keeps how a local user's stay ended, when the room is gone. `positionOffset` instead of a position: it ends with this set. */
export function keepEnded(
  ended: Omit<EndedParams, 'position'>,
  at: { readonly position: number } | { readonly positionOffset: number },
): WriteStep {
  return 'position' in at
    ? step(replaceEnded, { ...ended, position: at.position })
    : step(replaceEnded, ended, { positionOffset: at.positionOffset });
}

/** The step that forgets how stays in rooms ended that were deleted before a moment, in milliseconds since the Unix epoch. */
export function pruneEnded(before: number, limit: number): WriteStep {
  return step(deleteOldEnded, { before, limit });
}

/**
 * The steps after which nobody finds the room any more: its rows are there still, under a number that is never given out again.
 *
 * @param stateGroup the highest of its state groups
 * @param positionOffset of the position that the change of the room takes
 */
export function hideRoom(
  room: { readonly roomNid: number; readonly roomId: string; readonly stateGroup: number },
  positionOffset: number,
): WriteStep[] {
  const { roomNid, roomId, stateGroup } = room;
  return [
    step(insertDeletedRoom, { roomNid, roomId }),
    step(raiseDeletedNumbers, { roomNid, stateGroup }),
    step(deleteAliasesOfRoom, { roomNid }),
    step(deleteRoomRow, { roomNid }),
    step(deletePartialRoom, { roomNid }),
    step(insertRoomChange, { roomId, change: 'deleted' }, { positionOffset }),
  ];
}

/** The steps that end a deletion: the last rows of the room, and the note that it goes on. */
export function endDeletion(roomNid: number, roomId: string, limit: number): WriteStep[] {
  return [
    step(deletePurgeEnd, { roomNid }),
    step(deleteOldRoomChanges, { roomId, limit }),
    step(deleteDeletedRoom, { roomNid }),
  ];
}
