import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { endRelations } from './relation-writer.ts';
import { endStickies } from './sticky-writer.ts';

type OfRoom = { readonly roomNid: number };
/** JSON list of numbers of events. */
type OfEvents = { readonly eventNids: string };
type OfGroup = { readonly stateGroup: number };

const LISTED = '(SELECT value FROM json_each(:eventNids))';

export const raisePurgeEnd = defineQuery<OfRoom & { readonly upTo: number }>({
  name: 'rooms.purge-raise-end',
  sql: `
    INSERT INTO purged_histories (room_nid, up_to) VALUES (:roomNid, :upTo)
    ON CONFLICT (room_nid) DO UPDATE SET up_to = max(up_to, excluded.up_to)`,
});

export const deleteOldResolvedStates = defineQuery<
  OfRoom & { readonly upTo: number; readonly limit: number }
>({
  name: 'rooms.purge-delete-resolved-states',
  sql: `
    DELETE FROM resolved_states
     WHERE position IN (
       SELECT position FROM resolved_states INDEXED BY resolved_states_by_room
        WHERE room_nid = :roomNid AND position <= :upTo LIMIT :limit)`,
});

export const keepPlaces = defineQuery<OfEvents>({
  name: 'rooms.purge-keep-places',
  sql: `
    INSERT OR IGNORE INTO state_changes (position, room_nid, state_key_nid, event_nid)
    SELECT stream_ordering, room_nid, state_key_nid, event_nid FROM events
     WHERE event_nid IN ${LISTED} AND state_key_nid IS NOT NULL AND stream_ordering IS NOT NULL`,
});

export const hideEvents = defineQuery<OfEvents>({
  name: 'rooms.purge-hide-events',
  sql: `UPDATE events SET stream_ordering = NULL, state_group = NULL WHERE event_nid IN ${LISTED}`,
});

export const deleteTransactionsOfEvents = defineQuery<OfEvents>({
  name: 'rooms.purge-delete-transactions',
  sql: `DELETE FROM event_transactions WHERE event_nid IN ${LISTED}`,
});

export const deleteWaitingOfEvents = defineQuery<OfEvents>({
  name: 'rooms.purge-delete-waiting',
  sql: `DELETE FROM missing_auth_events WHERE waiting_nid IN ${LISTED}`,
});

export const deleteHeldRedactions = defineQuery<OfEvents>({
  name: 'rooms.purge-delete-held-redactions',
  sql: `DELETE FROM held_redactions WHERE redaction_nid IN ${LISTED}`,
});

export const deleteChangesOfEvents = defineQuery<OfEvents>({
  name: 'rooms.purge-delete-state-changes',
  sql: `
    DELETE FROM state_changes
     WHERE position IN (
       SELECT c.position
         FROM json_each(:eventNids) wanted
         CROSS JOIN events e ON e.event_nid = wanted.value
         CROSS JOIN state_changes c INDEXED BY state_changes_by_state_key ON c.state_key_nid = e.state_key_nid
        WHERE c.event_nid = e.event_nid)`,
  scans: ['wanted'],
});

export const passFollowedOn = defineQuery<OfEvents & { readonly heir: number }>({
  name: 'rooms.purge-pass-followed-on',
  sql: `UPDATE OR REPLACE followed_events SET follower_nid = :heir WHERE follower_nid IN ${LISTED}`,
});

export const deleteFollowed = defineQuery<OfEvents>({
  name: 'rooms.purge-delete-followed',
  sql: `DELETE FROM followed_events WHERE follower_nid IN ${LISTED}`,
});

export const deleteListedEvents = defineQuery<OfEvents>({
  name: 'rooms.purge-delete-events',
  sql: `DELETE FROM events WHERE event_nid IN ${LISTED}`,
});

export const inheritEntries = defineQuery<
  OfGroup & { readonly parent: number; readonly after: number; readonly upTo: number }
>({
  name: 'rooms.purge-inherit-entries',
  sql: `
    INSERT OR IGNORE INTO state_group_entries (state_group, state_key_nid, event_nid)
    SELECT :stateGroup, state_key_nid, event_nid FROM state_group_entries
     WHERE state_group = :parent AND state_key_nid > :after AND state_key_nid <= :upTo`,
});

export const replaceParent = defineQuery<OfGroup & { readonly parent: number | null }>({
  name: 'rooms.purge-replace-parent',
  sql: `
    UPDATE state_groups SET parent = :parent, deltas = iif(:parent IS NULL, 0, deltas) WHERE state_group = :stateGroup`,
});

export const deleteRemovals = defineQuery<OfGroup>({
  name: 'rooms.purge-delete-removals',
  sql: 'DELETE FROM state_group_entries WHERE state_group = :stateGroup AND event_nid IS NULL',
});

export const deleteEntriesOfGroup = defineQuery<OfGroup & { readonly limit: number }>({
  name: 'rooms.purge-delete-entries',
  sql: `
    DELETE FROM state_group_entries
     WHERE state_group = :stateGroup AND state_key_nid IN (
       SELECT state_key_nid FROM state_group_entries WHERE state_group = :stateGroup ORDER BY state_key_nid LIMIT :limit)`,
});

export const deleteGroup = defineQuery<OfGroup>({
  name: 'rooms.purge-delete-group',
  sql: 'DELETE FROM state_groups WHERE state_group = :stateGroup',
});

export const raiseDeletedNumbers = defineQuery<OfRoom & OfGroup>({
  name: 'rooms.purge-raise-deleted-numbers',
  sql: `
    INSERT INTO deleted_numbers (only_row, room_nid, state_group) VALUES (1, :roomNid, :stateGroup)
    ON CONFLICT (only_row) DO UPDATE SET
      room_nid = max(room_nid, excluded.room_nid), state_group = max(state_group, excluded.state_group)`,
});

/**
 * The steps that delete events with all that hangs on them. Nothing that stays needs them.
 *
 * @param heir an event that stays and comes after them: should one that they follow be accepted later, it follows that still. Null: no event
 *   of the room stays
 */
export function deleteEvents(events: readonly number[], heir: number | null): WriteStep[] {
  if (events.length === 0) return [];
  const eventNids = JSON.stringify(events);
  return [
    heir === null ? step(deleteFollowed, { eventNids }) : step(passFollowedOn, { eventNids, heir }),
    step(deleteTransactionsOfEvents, { eventNids }),
    step(deleteWaitingOfEvents, { eventNids }),
    step(deleteHeldRedactions, { eventNids }),
    step(deleteChangesOfEvents, { eventNids }),
    endRelations(eventNids),
    endStickies(eventNids),
    step(deleteListedEvents, { eventNids }),
  ];
}

/**
 * The steps that take events out of the timeline. What they changed in the state stays known at its place, as a change without an event of
 * the timeline: when somebody joined is asked of those.
 */
export function takeOutOfTimeline(events: readonly number[]): WriteStep[] {
  if (events.length === 0) return [];
  const eventNids = JSON.stringify(events);
  return [
    step(keepPlaces, { eventNids }),
    step(hideEvents, { eventNids }),
    endRelations(eventNids),
    endStickies(eventNids),
  ];
}

/**
 * The steps that move the end of what was purged to a place of the timeline, if it is not after that. Nobody asks for the state as of a
 * place before it any more.
 *
 * @param limit how many of those states are forgotten at once; what is left does no harm
 */
export function setPurgedUpTo(roomNid: number, upTo: number, limit: number): WriteStep[] {
  return [step(raisePurgeEnd, { roomNid, upTo }), step(deleteOldResolvedStates, { roomNid, upTo, limit })];
}

/** The step that copies what a group takes over from its parent, for a range of places: its content stays what it is. */
export function inherit(
  link: { readonly stateGroup: number; readonly parent: number },
  after: number,
  upTo: number,
): WriteStep {
  return step(inheritEntries, { ...link, after, upTo });
}

/** The steps that let a group, which has inherited all of its parent, go on from its grandparent; null: it is a checkpoint now. */
export function skipParent(stateGroup: number, grandparent: number | null): WriteStep[] {
  const replaced = step(replaceParent, { stateGroup, parent: grandparent });
  return grandparent === null ? [replaced, step(deleteRemovals, { stateGroup })] : [replaced];
}

/** The steps that delete at most `limit` entries of a group that nothing needs; with `isLast` the group itself. */
export function deleteStateGroup(
  group: { readonly roomNid: number; readonly stateGroup: number },
  limit: number,
  isLast: boolean,
): WriteStep[] {
  const { stateGroup, roomNid } = group;
  const steps = [step(deleteEntriesOfGroup, { stateGroup, limit })];
  if (isLast)
    steps.push(step(deleteGroup, { stateGroup }), step(raiseDeletedNumbers, { roomNid, stateGroup }));
  return steps;
}
