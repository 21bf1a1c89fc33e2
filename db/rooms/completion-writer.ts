import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { deleteExtremities, fillStateGroup, insertRoomChange } from './out-of-band-writer.ts';
import { forgetPartialRoom } from './partial-writer.ts';
import { endRelations } from './relation-writer.ts';
import { countStateCheckpoint, type StateGroupWrite, storeStateGroup } from './state-group-writer.ts';
import { endStickies } from './sticky-writer.ts';
import { insertExtremity, setResolvedStateGroup } from './writer.ts';

type OfRoom = { readonly roomNid: number };
type AtPosition = { readonly position: number };

/** The refusal of the guard of {@link endPartialRoom}. */
export type CompletionGuard = 'not-partial';

export const insertPreparedState = defineQuery<OfRoom & { readonly stateGroup: number }>({
  name: 'rooms.insert-prepared-state',
  sql: 'INSERT INTO prepared_states (room_nid, state_group) VALUES (:roomNid, :stateGroup)',
});

export const deletePreparedStates = defineQuery<OfRoom>({
  name: 'rooms.delete-prepared-states',
  sql: 'DELETE FROM prepared_states WHERE room_nid = :roomNid',
});

export const checkPartialRoom = defineQuery<
  OfRoom & { readonly joinEventId: string },
  { readonly found: number }
>({
  name: 'rooms.check-partial-room',
  sql: 'SELECT 1 AS found FROM partial_rooms WHERE room_nid = :roomNid AND join_event_id = :joinEventId',
});

/** `states`: JSON list of `[event id, state group]`. */
export const moveEventsToStates = defineQuery<{ readonly states: string }>({
  name: 'rooms.move-events-to-states',
  sql: `
    UPDATE events SET state_group = json_extract(given.value, '$[1]')
      FROM json_each(:states) given
     WHERE events.event_id = json_extract(given.value, '$[0]')`,
  scans: ['given'],
});

/** `standings`: JSON list of `[event id, rejection]`; what has none stays where it is. */
export const replaceRejections = defineQuery<{ readonly standings: string }>({
  name: 'rooms.replace-rejections',
  sql: `
    UPDATE events SET rejection = json_extract(given.value, '$[1]'),
                      stream_ordering = iif(json_extract(given.value, '$[1]') IS NULL, stream_ordering, NULL)
      FROM json_each(:standings) given
     WHERE events.event_id = json_extract(given.value, '$[0]')`,
  scans: ['given'],
});

export const hideStickies = defineQuery<{ readonly eventNids: string }>({
  name: 'rooms.hide-sticky-events',
  sql: 'UPDATE sticky_events SET position = NULL WHERE event_nid IN (SELECT value FROM json_each(:eventNids))',
});

export const undoRedaction = defineQuery<{ readonly eventId: string }>({
  name: 'rooms.undo-redaction',
  sql: 'UPDATE events SET redacted_by = NULL WHERE event_id = :eventId',
});

export const releaseRedaction = defineQuery<{ readonly eventId: string }>({
  name: 'rooms.release-redaction',
  sql: 'DELETE FROM held_redactions WHERE redaction_nid = (SELECT event_nid FROM events WHERE event_id = :eventId)',
});

export const deleteFollowedOf = defineQuery<{ readonly eventNids: string }>({
  name: 'rooms.delete-followed-of',
  sql: 'DELETE FROM followed_events WHERE follower_nid IN (SELECT value FROM json_each(:eventNids))',
});

/** `followed`: JSON list of `[event id, number of the follower]`. */
export const insertFollowedList = defineQuery<OfRoom & { readonly followed: string }>({
  name: 'rooms.insert-followed-list',
  sql: `
    INSERT OR IGNORE INTO followed_events (event_id, follower_nid, room_nid)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), :roomNid FROM json_each(:followed)`,
  scans: ['json_each'],
});

export const deleteResolvedStatesAfter = defineQuery<OfRoom & { readonly after: number }>({
  name: 'rooms.delete-resolved-states-after',
  sql: 'DELETE FROM resolved_states WHERE room_nid = :roomNid AND position > :after',
});

/** `states`: JSON list of `[position, state group]`. */
export const insertResolvedStates = defineQuery<OfRoom & { readonly states: string }>({
  name: 'rooms.insert-resolved-states',
  sql: `
    INSERT INTO resolved_states (position, room_nid, state_group)
    SELECT json_extract(value, '$[0]'), :roomNid, json_extract(value, '$[1]') FROM json_each(:states)`,
  scans: ['json_each'],
});

/** `entries`: JSON list of `[event id, membership]`, one position for each. */
export const insertStateChanges = defineQuery<OfRoom & AtPosition & { readonly entries: string }>({
  name: 'rooms.insert-state-changes',
  sql: `
    INSERT INTO state_changes (position, room_nid, state_key_nid, event_nid)
    SELECT :position + given.key, :roomNid, e.state_key_nid, e.event_nid
      FROM json_each(:entries) given CROSS JOIN events e ON e.event_id = json_extract(given.value, '$[0]')`,
  scans: ['given'],
});

export const replaceCurrentStateList = defineQuery<OfRoom & { readonly entries: string }>({
  name: 'rooms.replace-current-state-list',
  sql: `
    INSERT INTO current_state (room_nid, state_key_nid, event_nid, membership)
    SELECT :roomNid, e.state_key_nid, e.event_nid, json_extract(given.value, '$[1]')
      FROM json_each(:entries) given CROSS JOIN events e ON e.event_id = json_extract(given.value, '$[0]')
     WHERE true
    ON CONFLICT (room_nid, state_key_nid)
    DO UPDATE SET event_nid = excluded.event_nid, membership = excluded.membership`,
  scans: ['given'],
});

function notePrepared(roomNid: number, write: StateGroupWrite): WriteStep[] {
  if (write.kind === 'existing') return [];
  return [step(insertPreparedState, { roomNid, stateGroup: write.stateGroup })];
}

/** The steps that store a state that no event has yet. Nothing for one that exists. */
export function prepareState(roomNid: number, write: StateGroupWrite): WriteStep[] {
  return [...notePrepared(roomNid, write), ...storeStateGroup(roomNid, write)];
}

/** The steps that begin a state of its own that no event has yet, and that {@link fillPrepared} fills. */
export function prepareWhole(roomNid: number, stateGroup: number): WriteStep[] {
  return prepareState(roomNid, { kind: 'new', stateGroup, parent: null, changes: [], isCheckpoint: true });
}

/** The steps that put stored events into a state that was begun: no two of the same place. */
export function fillPrepared(stateGroup: number, eventIds: readonly string[]): WriteStep[] {
  const all = { expectChanges: eventIds.length };
  return [
    step(fillStateGroup, { stateGroup, eventIds: JSON.stringify(eventIds) }, all),
    step(countStateCheckpoint, { stateGroup }),
  ];
}

/** The step that forgets which states were made for a room: events have them, or they are deleted. */
export function forgetPrepared(roomNid: number): WriteStep {
  return step(deletePreparedStates, { roomNid });
}

/** The steps with which a room is whole. Guard: `not-partial`, when it is no more what it was joined as. */
export function endPartialRoom(
  { roomNid, roomId }: OfRoom & { readonly roomId: string },
  joinEventId: string,
  positionOffset: number,
): WriteStep[] {
  const guard = { expectChanges: 1, refusal: 'not-partial' satisfies CompletionGuard };
  return [
    step(checkPartialRoom, { roomNid, joinEventId }, guard),
    ...forgetPartialRoom(roomNid),
    forgetPrepared(roomNid),
    step(insertRoomChange, { roomId, change: 'completed' }, { positionOffset }),
  ];
}

/** The step that gives events other states, by id. */
export function moveToStates(states: readonly (readonly [string, number])[]): WriteStep {
  return step(moveEventsToStates, { states: JSON.stringify(states) });
}

/** An event that is refused from here on, or for another reason. */
export interface Refused {
  readonly eventId: string;
  readonly eventNid: number;
  readonly rejection: string;
}

/** The steps that take events out of the timeline that are not accepted any more. */
export function refuseEvents(refused: readonly Refused[]): WriteStep[] {
  if (refused.length === 0) return [];
  const nidsOf = (events: readonly Refused[]): string =>
    JSON.stringify(events.map(({ eventNid }) => eventNid));
  const standings = JSON.stringify(refused.map(({ eventId, rejection }) => [eventId, rejection]));
  return [
    step(replaceRejections, { standings }),
    endRelations(nidsOf(refused)),
    // One that soft-failed may be told of later still.
    step(hideStickies, { eventNids: nidsOf(refused) }),
    endStickies(nidsOf(refused.filter(({ rejection }) => rejection.startsWith('rejected')))),
  ];
}

/** The step after which an event is not redacted. */
export function undoStoredRedaction(targetId: string): WriteStep {
  return step(undoRedaction, { eventId: targetId });
}

/** The step after which a redaction waits for nothing. */
export function releaseOne(redactionId: string): WriteStep {
  return step(releaseRedaction, { eventId: redactionId });
}

/** The steps that say anew which events that are not accepted are followed by some, given by their numbers. */
export function replaceFollowed(
  roomNid: number,
  followers: readonly number[],
  followed: readonly (readonly [string, number])[],
): WriteStep[] {
  return [
    step(deleteFollowedOf, { eventNids: JSON.stringify(followers) }),
    step(insertFollowedList, { roomNid, followed: JSON.stringify(followed) }),
  ];
}

/** The steps that say anew what a room's next event follows, and what that resolves to. `extremities`: their numbers. */
export function replaceHead(
  roomNid: number,
  extremities: readonly number[],
  resolvedStateGroup: number | null,
): WriteStep[] {
  return [
    step(deleteExtremities, { roomNid }),
    ...extremities.map((position) => step(insertExtremity, { roomNid, position })),
    step(setResolvedStateGroup, { roomNid, stateGroup: resolvedStateGroup }),
  ];
}

/** The steps that say anew what the current state was as of positions after one, where it was not that of the last event. */
export function replaceResolvedStates(
  roomNid: number,
  after: number,
  states: readonly (readonly [number, number])[],
): WriteStep[] {
  return [
    step(deleteResolvedStatesAfter, { roomNid, after }),
    step(insertResolvedStates, { roomNid, states: JSON.stringify(states) }),
  ];
}

/**
 * The steps that change the current state in many places, each at a position of its own, without an event of the timeline.
 *
 * @param entries the ids of the events, with the memberships that member events make
 * @param positionOffset of the first
 */
export function changeCurrentStateOf(
  roomNid: number,
  entries: readonly (readonly [string, string | null])[],
  positionOffset: number,
): WriteStep[] {
  if (entries.length === 0) return [];
  const list = JSON.stringify(entries);
  const all = { expectChanges: entries.length };
  return [
    step(insertStateChanges, { roomNid, entries: list }, { positionOffset, ...all }),
    step(replaceCurrentStateList, { roomNid, entries: list }, all),
  ];
}

/** The steps that put entries into the current state of which nobody is to be told. */
export function addToCurrentState(
  roomNid: number,
  entries: readonly { readonly eventId: string | null; readonly membership: string | null }[],
): WriteStep[] {
  if (entries.length === 0) return [];
  const list = JSON.stringify(entries.map(({ eventId, membership }) => [eventId, membership]));
  return [step(replaceCurrentStateList, { roomNid, entries: list }, { expectChanges: entries.length })];
}
