import { internStateKey, internUser, STATE_KEY_NID, USER_NID } from '../interning/queries.ts';
import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { replaceCurrentStateByEvent } from './out-of-band-writer.ts';
import { notePlacement, type Placement } from './partial-writer.ts';
import { endRelation, storeRelation } from './relation-writer.ts';
import { endSticky, revealSticky, storeSticky } from './sticky-writer.ts';
import { type StateGroupWrite, storeStateGroup } from './state-group-writer.ts';
import { deleteExtremity, type RoomsGuard, setResolvedStateGroup } from './writer.ts';

type AtPosition = { readonly position: number };
type OfRoom = { readonly roomNid: number };
type OfEvent = { readonly eventId: string };
type OfStateKey = { readonly type: string; readonly stateKey: string };

/** The number of the event that the set is about, whether it was stored by this set or long before. */
const EVENT_NID = '(SELECT event_nid FROM events WHERE event_id = :eventId)';

export const insertReceivedEvent = defineQuery<
  AtPosition &
    OfRoom &
    OfEvent & {
      readonly isVisible: number;
      readonly depth: number;
      readonly type: string;
      readonly stateKey: string | null;
      readonly stateGroup: number | null;
      readonly rejection: string | null;
      readonly receivedFrom: string | null;
      readonly originServerTs: number;
      readonly pdu: string;
    }
>({
  name: 'rooms.insert-received-event',
  sql: `
    INSERT INTO events (event_nid, event_id, room_nid, stream_ordering, depth, state_key_nid, state_group, rejection,
                        received_from, origin_server_ts, pdu)
    VALUES (:position, :eventId, :roomNid, CASE WHEN :isVisible = 1 THEN :position END, :depth, ${STATE_KEY_NID},
            :stateGroup, :rejection, :receivedFrom, :originServerTs, :pdu)`,
});

export const updateReceivedEvent = defineQuery<
  AtPosition &
    OfEvent & {
      readonly isVisible: number;
      readonly stateGroup: number | null;
      readonly rejection: string | null;
      readonly pdu: string;
    }
>({
  name: 'rooms.update-received-event',
  sql: `
    UPDATE events SET stream_ordering = CASE WHEN :isVisible = 1 THEN :position END, state_group = :stateGroup,
                      rejection = :rejection, pdu = :pdu
     WHERE event_id = :eventId AND stream_ordering IS NULL`,
});

export const markRelayedEvent = defineQuery<OfEvent>({
  name: 'rooms.mark-relayed-event',
  sql: 'UPDATE events SET is_relayed = 1 WHERE event_id = :eventId',
});

export const checkExtremities = defineQuery<
  OfRoom & { readonly eventIds: string },
  { readonly found: number }
>({
  name: 'rooms.check-extremities',
  sql: `
    SELECT 1 AS found
     WHERE (SELECT count(*) FROM forward_extremities WHERE room_nid = :roomNid) = json_array_length(:eventIds)
       AND NOT EXISTS (
         SELECT 1 FROM json_each(:eventIds) expected
          WHERE NOT EXISTS (
            SELECT 1 FROM events e JOIN forward_extremities f ON f.event_nid = e.event_nid
             WHERE e.event_id = expected.value AND f.room_nid = :roomNid))`,
  scans: ['expected'],
});

export const insertExtremityByEvent = defineQuery<OfRoom & OfEvent>({
  name: 'rooms.insert-extremity-by-event',
  sql: `INSERT INTO forward_extremities (room_nid, event_nid) VALUES (:roomNid, ${EVENT_NID})`,
});

export const insertFollowedEvent = defineQuery<OfEvent & { readonly followedId: string }>({
  name: 'rooms.insert-followed-event',
  sql: `
    INSERT INTO followed_events (event_id, follower_nid, room_nid)
    SELECT :followedId, event_nid, room_nid FROM events WHERE event_id = :eventId
    ON CONFLICT DO NOTHING`,
});

export const insertStateChange = defineQuery<
  AtPosition & OfRoom & OfStateKey & { readonly eventId: string | null }
>({
  name: 'rooms.insert-state-change',
  sql: `
    INSERT INTO state_changes (position, room_nid, state_key_nid, event_nid)
    VALUES (:position, :roomNid, ${STATE_KEY_NID}, ${EVENT_NID})`,
});

export const insertResolvedState = defineQuery<AtPosition & OfRoom & { readonly stateGroup: number }>({
  name: 'rooms.insert-resolved-state',
  sql: 'INSERT INTO resolved_states (position, room_nid, state_group) VALUES (:position, :roomNid, :stateGroup)',
});

export const deleteCurrentStateEntry = defineQuery<OfRoom & OfStateKey>({
  name: 'rooms.delete-current-state-entry',
  sql: `DELETE FROM current_state WHERE room_nid = :roomNid AND state_key_nid = ${STATE_KEY_NID}`,
});

export const settleLocalMembership = defineQuery<
  AtPosition &
    OfRoom &
    OfEvent & { readonly userId: string; readonly membership: string; readonly sender: string }
>({
  name: 'rooms.settle-local-membership',
  // A membership that goes on, such as a join with another display name, keeps the position at which it began.
  sql: `
    INSERT INTO local_memberships (user_nid, room_nid, membership, event_nid, position, sender)
    VALUES (${USER_NID}, :roomNid, :membership, ${EVENT_NID}, :position, :sender)
    ON CONFLICT (user_nid, room_nid) DO UPDATE SET
      position = CASE WHEN membership = excluded.membership THEN position ELSE excluded.position END,
      membership = excluded.membership, event_nid = excluded.event_nid, sender = excluded.sender,
      is_forgotten = CASE WHEN membership = excluded.membership THEN is_forgotten ELSE 0 END`,
});

export const endLocalMembership = defineQuery<AtPosition & OfRoom & { readonly userId: string }>({
  name: 'rooms.end-local-membership',
  // The event of the membership that is gone stays named: no other one has ended it.
  sql: `
    UPDATE local_memberships SET membership = 'removed', position = :position, is_forgotten = 0
     WHERE user_nid = ${USER_NID} AND room_nid = :roomNid AND membership <> 'removed'`,
});

export const applyRedactionByEvent = defineQuery<OfEvent & { readonly redactionId: string }>({
  name: 'rooms.apply-redaction-by-event',
  sql: `
    UPDATE events SET redacted_by = (SELECT event_nid FROM events WHERE event_id = :redactionId)
     WHERE event_id = :eventId AND redacted_by IS NULL`,
});

export const holdRedaction = defineQuery<OfEvent & { readonly targetId: string }>({
  name: 'rooms.hold-redaction',
  sql: `
    INSERT INTO held_redactions (target_event_id, redaction_nid) VALUES (:targetId, ${EVENT_NID})
    ON CONFLICT DO NOTHING`,
});

export const releaseRedactions = defineQuery<OfEvent>({
  name: 'rooms.release-redactions',
  sql: 'DELETE FROM held_redactions WHERE target_event_id = :eventId',
});

export const revealRedaction = defineQuery<AtPosition & OfEvent>({
  name: 'rooms.reveal-redaction',
  sql: `
    UPDATE events SET stream_ordering = :position, rejection = NULL
     WHERE event_id = :eventId AND stream_ordering IS NULL`,
});

export const insertMissingAuthEvent = defineQuery<OfEvent & { readonly missingId: string }>({
  name: 'rooms.insert-missing-auth-event',
  sql: `
    INSERT INTO missing_auth_events (event_id, waiting_nid) VALUES (:missingId, ${EVENT_NID})
    ON CONFLICT DO NOTHING`,
});

export const deleteMissingAuthEvents = defineQuery<OfEvent>({
  name: 'rooms.delete-missing-auth-events',
  sql: `DELETE FROM missing_auth_events WHERE waiting_nid = ${EVENT_NID}`,
});

/** An event of another server, or one of ours that no client sees. */
export interface InboundEvent {
  readonly roomNid: number;
  readonly eventId: string;
  /** It was stored before, hidden or outside of the timeline: what is said here replaces what was said then. */
  readonly isStored: boolean;
  /** It enters the timeline. */
  readonly isVisible: boolean;
  readonly depth: number;
  readonly type: string;
  /** Null for message events. */
  readonly stateKey: string | null;
  /** Null for an accepted event. */
  readonly rejection: string | null;
  /** The state after it, of a rejected event the state before it; null for outliers. */
  readonly stateGroup: StateGroupWrite | null;
  /** Null: it was made here. */
  readonly receivedFrom: string | null;
  readonly originServerTs: number;
  readonly pdu: string;
  /** The auth events that it waits for. */
  readonly missing: readonly string[];
  /** It relates to another event. */
  readonly isRelated?: boolean;
  /** When it stops being sticky, in milliseconds since the Unix epoch; absent or null: it is not, or it is rejected. */
  readonly stickyUntil?: number | null;
  /** Of an event that comes into the graph of a room whose state is not whole; absent or null: it is whole, or the event does not. */
  readonly placement?: Placement | null;
}

/** Older room versions allow numbers that cannot be counted with: they stop at the greatest that can. */
function withinIntegers(value: number): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER));
}

/** The steps that store an event, and nothing of what it does. */
export function storeInboundEvent(event: InboundEvent, positionOffset: number): WriteStep[] {
  const { roomNid, eventId, isStored, type, stateKey, rejection, receivedFrom, pdu } = event;
  const depth = withinIntegers(event.depth);
  const originServerTs = withinIntegers(event.originServerTs);
  const at = { positionOffset };
  const stateGroup = event.stateGroup?.stateGroup ?? null;
  const isVisible = event.isVisible ? 1 : 0;
  const columns = { eventId, isVisible, stateGroup, rejection, pdu };
  const steps: WriteStep[] = [];
  if (isStored) {
    steps.push(step(updateReceivedEvent, columns, at), step(deleteMissingAuthEvents, { eventId }));
  } else {
    if (stateKey !== null) steps.push(step(internStateKey, { type, stateKey }));
    const origin = { receivedFrom, originServerTs };
    steps.push(step(insertReceivedEvent, { roomNid, depth, type, stateKey, ...columns, ...origin }, at));
  }
  for (const missingId of event.missing) steps.push(step(insertMissingAuthEvent, { eventId, missingId }));
  if (event.isRelated === true && event.isVisible) steps.push(storeRelation(eventId));
  if (typeof event.stickyUntil === 'number') steps.push(storeSticky(eventId, event.stickyUntil));
  if (event.stateGroup !== null) steps.push(...storeStateGroup(roomNid, event.stateGroup));
  const { placement = null } = event;
  if (placement !== null) steps.push(notePlacement(roomNid, eventId, placement, positionOffset));
  return steps;
}

/** The step that notes that an event of another server goes on to the others of its room from here. It is stored by then. */
export function markRelayed(eventId: string): WriteStep {
  return step(markRelayedEvent, { eventId });
}

/** How a room's forward extremities change. */
export interface ExtremityChange {
  /** All that there are before: the guard. */
  readonly before: readonly string[];
  readonly removed: readonly string[];
  /** The event itself becomes one. */
  readonly isAdded: boolean;
  /** What it follows and was not accepted. */
  readonly followed: readonly string[];
}

/** The steps that change a room's extremities, after those that store the event. Guard: `not-the-newest-event`. */
export function changeExtremities(roomNid: number, eventId: string, change: ExtremityChange): WriteStep[] {
  const guard = { expectChanges: 1, refusal: 'not-the-newest-event' satisfies RoomsGuard };
  const eventIds = JSON.stringify(change.before);
  const steps = [step(checkExtremities, { roomNid, eventIds }, guard)];
  for (const removed of change.removed)
    steps.push(step(deleteExtremity, { roomNid, eventId: removed }, guard));
  if (change.isAdded) steps.push(step(insertExtremityByEvent, { roomNid, eventId }));
  for (const followedId of change.followed) steps.push(step(insertFollowedEvent, { eventId, followedId }));
  return steps;
}

/** A place of the current state that another event takes, or none. */
export interface CurrentStateChange {
  readonly type: string;
  readonly stateKey: string;
  /** Null: the place is empty from here on. */
  readonly eventId: string | null;
  /** Of a member event. */
  readonly membership: string | null;
  /** Of a local user's member event, or of the end of one; null otherwise. */
  readonly localMember: { readonly userId: string; readonly sender: string } | null;
}

/**
 * The steps that change one place of the current state.
 *
 * @param isEvent the event of the timeline at that position makes the change; otherwise the change is written at it
 */
export function changeCurrentState(
  roomNid: number,
  change: CurrentStateChange,
  positionOffset: number,
  isEvent: boolean,
): WriteStep[] {
  const { type, stateKey, eventId, membership, localMember } = change;
  const at = { positionOffset };
  const steps: WriteStep[] = isEvent
    ? []
    : [
        step(internStateKey, { type, stateKey }),
        step(insertStateChange, { roomNid, type, stateKey, eventId }, at),
      ];
  if (eventId === null) {
    steps.push(step(deleteCurrentStateEntry, { roomNid, type, stateKey }));
    if (localMember !== null)
      steps.push(step(endLocalMembership, { roomNid, userId: localMember.userId }, at));
    return steps;
  }
  steps.push(step(replaceCurrentStateByEvent, { roomNid, type, stateKey, eventId, membership }));
  if (localMember === null || membership === null) return steps;
  const { userId, sender } = localMember;
  steps.push(
    step(internUser, { userId }),
    step(settleLocalMembership, { roomNid, userId, membership, eventId, sender }, at),
  );
  return steps;
}

/** The steps that store what a room's extremities resolve to; null: there is one, whose state it is. */
export function setResolvedState(roomNid: number, resolved: StateGroupWrite | null): WriteStep[] {
  const steps = resolved === null ? [] : storeStateGroup(roomNid, resolved);
  return [...steps, step(setResolvedStateGroup, { roomNid, stateGroup: resolved?.stateGroup ?? null })];
}

/**
 * The step that remembers the current state as of a position where it is not that of the last event. By then the group is stored.
 */
export function recordResolvedState(roomNid: number, stateGroup: number, positionOffset: number): WriteStep {
  return step(insertResolvedState, { roomNid, stateGroup }, { positionOffset });
}

/** The steps that apply a redaction: the first one counts. Both events are stored by then. */
export function redactStoredEvent(eventId: string, redactionId: string): WriteStep[] {
  return [step(applyRedactionByEvent, { eventId, redactionId }), endRelation(eventId), endSticky(eventId)];
}

/** The step that remembers a redaction until its target comes. */
export function holdStoredRedaction(redactionId: string, targetId: string): WriteStep {
  return step(holdRedaction, { eventId: redactionId, targetId });
}

/** The step that forgets which redactions have waited for an event. */
export function releaseHeldRedactions(targetId: string): WriteStep {
  return step(releaseRedactions, { eventId: targetId });
}

/** The steps that let a held redaction into the timeline. */
export function revealHeldRedaction(redactionId: string, positionOffset: number): WriteStep[] {
  return [
    step(revealRedaction, { eventId: redactionId }, { positionOffset }),
    storeRelation(redactionId),
    revealSticky(redactionId),
  ];
}
