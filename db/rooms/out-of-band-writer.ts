import { internStateKey, internUser, STATE_KEY_NID, USER_NID } from '../interning/queries.ts';
import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { forgetPartialRoom } from './partial-writer.ts';
import { countStateCheckpoint, storeStateGroup } from './state-group-writer.ts';
import type { RoomChange } from './stream-reader.ts';
import { insertRoom } from './writer.ts';

type AtPosition = { readonly position: number };
type OfRoom = { readonly roomNid: number };
type OfMember = OfRoom & { readonly userId: string; readonly eventId: string };

const EVENT_NID = '(SELECT event_nid FROM events WHERE event_id = :eventId)';

export const deleteCurrentState = defineQuery<OfRoom>({
  name: 'rooms.delete-current-state',
  sql: 'DELETE FROM current_state WHERE room_nid = :roomNid',
});

export const deleteExtremities = defineQuery<OfRoom>({
  name: 'rooms.delete-extremities',
  sql: 'DELETE FROM forward_extremities WHERE room_nid = :roomNid',
});

export const clearResolvedState = defineQuery<OfRoom>({
  name: 'rooms.clear-resolved-state',
  sql: 'UPDATE rooms SET resolved_state_group = NULL WHERE room_nid = :roomNid',
});

export const insertRoomChange = defineQuery<
  AtPosition & { readonly roomId: string; readonly change: RoomChange }
>({
  name: 'rooms.insert-room-change',
  sql: 'INSERT INTO room_changes (position, room_id, change) VALUES (:position, :roomId, :change)',
});

export const insertOutOfBandMember = defineQuery<
  AtPosition &
    OfMember & {
      readonly depth: number;
      readonly originServerTs: number;
      readonly pdu: string;
      readonly receivedFrom: string | null;
    }
>({
  name: 'rooms.insert-out-of-band-member',
  // It may be here already, out of somebody's auth chain and without the stripped state.
  sql: `
    INSERT INTO events (event_nid, event_id, room_nid, depth, state_key_nid, origin_server_ts, pdu, received_from)
    VALUES (:position, :eventId, :roomNid, :depth,
            (SELECT state_key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key = :userId),
            :originServerTs, :pdu, :receivedFrom)
    ON CONFLICT (event_id) DO UPDATE SET pdu = excluded.pdu WHERE stream_ordering IS NULL`,
});

export const insertMemberChange = defineQuery<
  AtPosition & OfRoom & { readonly userId: string; readonly eventId: string | null }
>({
  name: 'rooms.insert-member-change',
  sql: `
    INSERT INTO state_changes (position, room_nid, state_key_nid, event_nid)
    VALUES (:position, :roomNid,
            (SELECT state_key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key = :userId), ${EVENT_NID})`,
});

export const replaceLocalMembershipByEvent = defineQuery<
  AtPosition & OfMember & { readonly membership: string; readonly sender: string }
>({
  name: 'rooms.replace-local-membership-by-event',
  sql: `
    INSERT INTO local_memberships (user_nid, room_nid, membership, event_nid, position, sender)
    VALUES (${USER_NID}, :roomNid, :membership, ${EVENT_NID}, :position, :sender)
    ON CONFLICT (user_nid, room_nid) DO UPDATE SET
      membership = excluded.membership, event_nid = excluded.event_nid, position = excluded.position,
      sender = excluded.sender, is_forgotten = 0`,
});

export const replaceCurrentStateByEvent = defineQuery<
  OfRoom & {
    readonly type: string;
    readonly stateKey: string;
    readonly eventId: string;
    readonly membership: string | null;
  }
>({
  name: 'rooms.replace-current-state-by-event',
  sql: `
    INSERT INTO current_state (room_nid, state_key_nid, event_nid, membership)
    VALUES (:roomNid, ${STATE_KEY_NID}, ${EVENT_NID}, :membership)
    ON CONFLICT (room_nid, state_key_nid)
    DO UPDATE SET event_nid = excluded.event_nid, membership = excluded.membership`,
});

export const fillStateGroup = defineQuery<{ readonly stateGroup: number; readonly eventIds: string }>({
  name: 'rooms.fill-state-group',
  sql: `
    INSERT INTO state_group_entries (state_group, state_key_nid, event_nid)
    SELECT :stateGroup, e.state_key_nid, e.event_nid
      FROM json_each(:eventIds) given CROSS JOIN events e ON e.event_id = given.value`,
  scans: ['given'],
});

export const copyGroupToCurrentState = defineQuery<OfRoom & { readonly stateGroup: number }>({
  name: 'rooms.copy-group-to-current-state',
  sql: `
    INSERT INTO current_state (room_nid, state_key_nid, event_nid, membership)
    SELECT :roomNid, n.state_key_nid, n.event_nid,
           CASE WHEN k.type = 'm.room.member' THEN json_extract(e.pdu, '$.content.membership') END
      FROM state_group_entries n
      JOIN state_keys k ON k.state_key_nid = n.state_key_nid
      JOIN events e ON e.event_nid = n.event_nid
     WHERE n.state_group = :stateGroup`,
});

/**
 * The steps with which this server leaves a room that goes on elsewhere: its state is not known from here on. Memberships of local users,
 * events and state groups stay. They come after the steps of the event that was the last local member's.
 *
 * @param positionOffset of the position that the change of the room takes
 */
export function leaveRoom(
  { roomNid, roomId }: OfRoom & { readonly roomId: string },
  positionOffset: number,
): WriteStep[] {
  return [
    ...forgetStateOfRoom(roomNid),
    step(insertRoomChange, { roomId, change: 'left' }, { positionOffset }),
  ];
}

/** The steps that delete what is known of a room's present: state, extremities, what they resolve to. */
export function forgetStateOfRoom(roomNid: number): WriteStep[] {
  return [
    step(deleteCurrentState, { roomNid }),
    step(deleteExtremities, { roomNid }),
    step(clearResolvedState, { roomNid }),
    ...forgetPartialRoom(roomNid),
  ];
}

/** A member event of a local user in a room that this server is not in. */
export interface OutOfBandMember {
  readonly roomNid: number;
  readonly userId: string;
  readonly membership: string;
  readonly sender: string;
  readonly eventId: string;
  readonly depth: number;
  readonly originServerTs: number;
  /** JSON; of an invite with the stripped state in `unsigned`. */
  readonly pdu: string;
  /** Null: we have made it. */
  readonly receivedFrom: string | null;
}

/** The steps that store a membership in a room that this server is not in, at one position. */
export function storeOutOfBandMember(member: OutOfBandMember, positionOffset: number): WriteStep[] {
  const at = { positionOffset };
  const { roomNid, userId, eventId, membership, sender, ...event } = member;
  return [
    step(internUser, { userId }),
    step(internStateKey, { type: 'm.room.member', stateKey: userId }),
    step(insertOutOfBandMember, { roomNid, userId, eventId, ...event }, at),
    step(insertMemberChange, { roomNid, userId, eventId }, at),
    step(replaceLocalMembershipByEvent, { roomNid, userId, eventId, membership, sender }, at),
  ];
}

/** A room that others have made. */
export interface ForeignRoom {
  readonly roomNid: number;
  readonly roomId: string;
  readonly roomVersion: string;
  /** Empty where it is not known. */
  readonly creator: string;
}

/** The step that stores a room that others have made. */
export function storeForeignRoom(room: ForeignRoom): WriteStep {
  return step(insertRoom, { ...room, isPublic: 0 });
}

/** The state of a room that another server gave for a join. */
export interface ForeignState {
  readonly roomNid: number;
  readonly roomId: string;
  /** A new one, which holds the whole state. */
  readonly stateGroup: number;
  /** Stored, accepted, of different places of the state. */
  readonly eventIds: readonly string[];
}

/**
 * The steps that make a state that others gave the state of a room, in place of all that was known of its present: a few statements,
 * however large it is. The room then has no extremity: the steps of the join have to follow.
 *
 * @param positionOffset of the position that the change of the room takes
 */
export function enterRoom(state: ForeignState, positionOffset: number): WriteStep[] {
  const { roomNid, roomId, stateGroup, eventIds } = state;
  const group = { kind: 'new', stateGroup, parent: null, changes: [], isCheckpoint: true } as const;
  return [
    ...forgetStateOfRoom(roomNid),
    ...storeStateGroup(roomNid, group),
    step(
      fillStateGroup,
      { stateGroup, eventIds: JSON.stringify(eventIds) },
      { expectChanges: eventIds.length },
    ),
    step(countStateCheckpoint, { stateGroup }),
    step(copyGroupToCurrentState, { roomNid, stateGroup }, { expectChanges: eventIds.length }),
    step(insertRoomChange, { roomId, change: 'joined' }, { positionOffset }),
  ];
}
