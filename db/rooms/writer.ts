import { internStateKey, internUser, STATE_KEY_NID, USER_NID } from '../interning/queries.ts';
import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { notePlacement, PLAIN_PLACEMENT } from './partial-writer.ts';
import { endRelation, storeRelation } from './relation-writer.ts';
import { endSticky, storeSticky } from './sticky-writer.ts';
import { type StateGroupWrite, storeStateGroup } from './state-group-writer.ts';
import type { TransactionKey } from './transaction-reader.ts';

/** The refusals of the guards below. */
export type RoomsGuard =
  /** The room's newest event is not the one that was built upon. */
  'not-the-newest-event' | 'alias-is-taken' | 'not-a-former-member';

type AtPosition = { readonly position: number };
type OfRoom = { readonly roomNid: number };
type OfStateKey = { readonly type: string; readonly stateKey: string };

type EventParams = AtPosition &
  OfRoom & {
    readonly eventId: string;
    readonly depth: number;
    readonly stateGroup: number | null;
    readonly originServerTs: number;
    readonly pdu: string;
  };

export const insertMessageEvent = defineQuery<EventParams>({
  name: 'rooms.insert-message-event',
  sql: `
    INSERT INTO events (event_nid, event_id, room_nid, stream_ordering, depth, state_group, origin_server_ts, pdu)
    VALUES (:position, :eventId, :roomNid, :position, :depth, :stateGroup, :originServerTs, :pdu)`,
});

export const insertStateEvent = defineQuery<EventParams & OfStateKey>({
  name: 'rooms.insert-state-event',
  sql: `
    INSERT INTO events (event_nid, event_id, room_nid, stream_ordering, depth, state_key_nid, state_group,
                        origin_server_ts, pdu)
    VALUES (:position, :eventId, :roomNid, :position, :depth, ${STATE_KEY_NID}, :stateGroup, :originServerTs, :pdu)`,
});

export const insertExtremity = defineQuery<AtPosition & OfRoom>({
  name: 'rooms.insert-extremity',
  sql: 'INSERT INTO forward_extremities (room_nid, event_nid) VALUES (:roomNid, :position)',
});

export const replaceExtremity = defineQuery<AtPosition & OfRoom & { readonly eventId: string }>({
  name: 'rooms.replace-extremity',
  sql: `
    UPDATE forward_extremities SET event_nid = :position
     WHERE room_nid = :roomNid AND event_nid = (SELECT event_nid FROM events WHERE event_id = :eventId)`,
});

export const deleteExtremity = defineQuery<OfRoom & { readonly eventId: string }>({
  name: 'rooms.delete-extremity',
  sql: `
    DELETE FROM forward_extremities
     WHERE room_nid = :roomNid AND event_nid = (SELECT event_nid FROM events WHERE event_id = :eventId)`,
});

export const setResolvedStateGroup = defineQuery<OfRoom & { readonly stateGroup: number | null }>({
  name: 'rooms.set-resolved-state-group',
  sql: 'UPDATE rooms SET resolved_state_group = :stateGroup WHERE room_nid = :roomNid',
});

export const replaceCurrentState = defineQuery<
  AtPosition & OfRoom & OfStateKey & { readonly membership: string | null }
>({
  name: 'rooms.replace-current-state',
  sql: `
    INSERT INTO current_state (room_nid, state_key_nid, event_nid, membership)
    VALUES (:roomNid, ${STATE_KEY_NID}, :position, :membership)
    ON CONFLICT (room_nid, state_key_nid)
    DO UPDATE SET event_nid = excluded.event_nid, membership = excluded.membership`,
});

export const replaceLocalMembership = defineQuery<
  AtPosition & OfRoom & { readonly userId: string; readonly membership: string; readonly sender: string }
>({
  name: 'rooms.replace-local-membership',
  // A membership that goes on, such as a join with another display name, keeps the position at which it began.
  sql: `
    INSERT INTO local_memberships (user_nid, room_nid, membership, event_nid, position, sender)
    VALUES (${USER_NID}, :roomNid, :membership, :position, :position, :sender)
    ON CONFLICT (user_nid, room_nid) DO UPDATE SET
      position = CASE WHEN membership = excluded.membership THEN position ELSE excluded.position END,
      membership = excluded.membership, event_nid = excluded.event_nid, sender = excluded.sender, is_forgotten = 0`,
});

export const insertTransaction = defineQuery<AtPosition & TransactionKey>({
  name: 'rooms.insert-transaction',
  sql: `
    INSERT INTO event_transactions (user_nid, device_id, path, txn_id, event_nid)
    VALUES (${USER_NID}, :deviceId, :path, :txnId, :position)`,
});

export const deleteOldTransactions = defineQuery<
  { readonly limit: number; readonly before: number },
  { readonly eventNid: number }
>({
  name: 'rooms.delete-old-transactions',
  // Looks at the oldest ones only, old enough or not: the cost is bounded by the limit.
  sql: `
    DELETE FROM event_transactions
     WHERE event_nid IN (
       SELECT e.event_nid
         FROM (SELECT event_nid FROM event_transactions ORDER BY event_nid LIMIT :limit) oldest
         JOIN events e ON e.event_nid = oldest.event_nid
        WHERE e.origin_server_ts < :before)
    RETURNING event_nid AS eventNid`,
  scans: ['event_transactions', 'oldest'],
});

export const applyRedaction = defineQuery<AtPosition & { readonly eventId: string }>({
  name: 'rooms.apply-redaction',
  sql: 'UPDATE events SET redacted_by = :position WHERE event_id = :eventId AND redacted_by IS NULL',
});

export const insertRoom = defineQuery<
  OfRoom & {
    readonly roomId: string;
    readonly roomVersion: string;
    readonly creator: string;
    readonly isPublic: number;
  }
>({
  name: 'rooms.insert-room',
  sql: `
    INSERT INTO rooms (room_nid, room_id, room_version, creator, is_public)
    VALUES (:roomNid, :roomId, :roomVersion, :creator, :isPublic)`,
});

export const insertAlias = defineQuery<OfRoom & { readonly alias: string; readonly creator: string }>({
  name: 'rooms.insert-alias',
  sql: `
    INSERT INTO room_aliases (alias, room_nid, creator) VALUES (:alias, :roomNid, :creator)
    ON CONFLICT (alias) DO NOTHING`,
});

export const forgetLocalMembership = defineQuery<{ readonly userId: string; readonly roomId: string }>({
  name: 'rooms.forget-room',
  sql: `
    UPDATE local_memberships SET is_forgotten = 1
     WHERE user_nid = ${USER_NID} AND room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)
       AND membership IN ('leave', 'ban', 'removed')`,
});

/** One event to be stored. */
export interface EventWrite {
  readonly roomNid: number;
  readonly eventId: string;
  readonly depth: number;
  readonly originServerTs: number;
  /** The event as it was signed, JSON. */
  readonly pdu: string;
  /** The place of the current state that it takes; null for message events. */
  readonly state: (OfStateKey & { readonly membership: string | null }) | null;
  /** The state after it; null while that is not known: of outliers. */
  readonly stateGroup: StateGroupWrite | null;
  /** The newest events of the room, which this one follows; empty: the extremities stay as they are. */
  readonly follows: readonly string[];
  /** What the room's several extremities resolve to after it, null when it is the only one; absent: as it was. */
  readonly resolvedStateGroup?: number | null;
  /** The membership of a local user that it makes. */
  readonly localMembership: {
    readonly userId: string;
    readonly membership: string;
    readonly sender: string;
  } | null;
  /** The event that it redacts, where the redaction is applied. */
  readonly redacts: string | null;
  /** It relates to another event: one that does not pays nothing for those that do. */
  readonly isRelated?: boolean;
  /** When it stops being sticky, in milliseconds since the Unix epoch; absent: it is not. */
  readonly stickyUntil?: number;
  /** The state of its room is not whole: it is decided about again when that is. */
  readonly isInPartialRoom?: boolean;
  readonly transaction: TransactionKey | null;
}

/** The step that stores which event a client's transaction has led to. */
export function storeTransaction(transaction: TransactionKey, positionOffset: number): WriteStep {
  return step(insertTransaction, { ...transaction }, { positionOffset });
}

/**
 * The steps that store one event, and all that it changes, at one position of their write set.
 * Guard: `not-the-newest-event`.
 *
 * @param positionOffset which position of the set's allocation it takes
 */
export function storeEvent(event: EventWrite, positionOffset: number): WriteStep[] {
  const at = { positionOffset };
  const steps = followSteps(event, positionOffset);
  const { roomNid, eventId, depth, originServerTs, pdu, state } = event;
  const stateGroup = event.stateGroup?.stateGroup ?? null;
  const columns = { roomNid, eventId, depth, originServerTs, pdu, stateGroup };
  if (state === null) {
    steps.push(step(insertMessageEvent, columns, at));
  } else {
    const { type, stateKey, membership } = state;
    steps.push(
      step(internStateKey, { type, stateKey }),
      step(insertStateEvent, { ...columns, type, stateKey }, at),
      step(replaceCurrentState, { roomNid, type, stateKey, membership }, at),
    );
  }
  if (event.stateGroup !== null) steps.push(...storeStateGroup(roomNid, event.stateGroup));
  if (event.resolvedStateGroup !== undefined)
    steps.push(step(setResolvedStateGroup, { roomNid, stateGroup: event.resolvedStateGroup }));
  if (event.localMembership !== null) {
    const { userId, membership, sender } = event.localMembership;
    steps.push(
      step(internUser, { userId }),
      step(replaceLocalMembership, { roomNid, userId, membership, sender }, at),
    );
  }
  if (event.redacts !== null)
    steps.push(
      step(applyRedaction, { eventId: event.redacts }, at),
      endRelation(event.redacts),
      endSticky(event.redacts),
    );
  if (event.isRelated === true) steps.push(storeRelation(eventId));
  if (event.stickyUntil !== undefined) steps.push(storeSticky(eventId, event.stickyUntil));
  if (event.transaction !== null) steps.push(storeTransaction(event.transaction, positionOffset));
  if (event.isInPartialRoom === true)
    steps.push(notePlacement(roomNid, eventId, PLAIN_PLACEMENT, positionOffset));
  return steps;
}

function followSteps(event: EventWrite, positionOffset: number): WriteStep[] {
  const { roomNid } = event;
  const guard = { expectChanges: 1, refusal: 'not-the-newest-event' satisfies RoomsGuard };
  return event.follows.map((eventId, index) =>
    index === 0
      ? step(replaceExtremity, { roomNid, eventId }, { ...guard, positionOffset })
      : step(deleteExtremity, { roomNid, eventId }, guard),
  );
}

/** A room to be stored, with the events that make it. */
export interface RoomWrite {
  readonly roomNid: number;
  readonly roomId: string;
  readonly roomVersion: string;
  readonly creator: string;
  readonly isPublic: boolean;
  /** The full alias to point at it, or null. */
  readonly alias: string | null;
  /** In order; they take one position after the other. */
  readonly events: readonly EventWrite[];
}

/**
 * The steps that store a new room. Guard: `alias-is-taken`.
 *
 * @param firstOffset which position of the set's allocation its first event takes
 */
export function storeRoom(room: RoomWrite, firstOffset = 0): WriteStep[] {
  const { roomNid, roomId, roomVersion, creator, alias, events } = room;
  const steps: WriteStep[] = [];
  if (alias !== null) {
    const guard = { expectChanges: 1, refusal: 'alias-is-taken' satisfies RoomsGuard };
    steps.push(step(insertAlias, { roomNid, alias, creator }, guard));
  }
  steps.push(step(insertRoom, { roomNid, roomId, roomVersion, creator, isPublic: room.isPublic ? 1 : 0 }));
  for (const [index, event] of events.entries()) steps.push(...storeEvent(event, firstOffset + index));
  steps.push(step(insertExtremity, { roomNid }, { positionOffset: firstOffset + events.length - 1 }));
  return steps;
}

/** The steps that forget a room. Guard: `not-a-former-member`. */
export function forgetRoom(roomId: string, userId: string): WriteStep[] {
  const guard = { expectChanges: 1, refusal: 'not-a-former-member' satisfies RoomsGuard };
  return [step(forgetLocalMembership, { roomId, userId }, guard)];
}

/**
 * The step that deletes the oldest transactions. Its rows are those it has deleted.
 *
 * @param before of events sent before this, in milliseconds since the Unix epoch
 */
export function pruneTransactions(limit: number, before: number): WriteStep[] {
  return [step(deleteOldTransactions, { limit, before }, { returns: true })];
}
