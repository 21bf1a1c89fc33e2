import { createEventIdOfRoom } from '../identifiers/room-id.ts';
import { authEventKeys } from '../rooms/auth-events.ts';
import type { RoomVersion } from '../rooms/room-versions.ts';
import type { ResolutionEvent } from './resolution.ts';
import type { SplitStates } from './split-states.ts';
import { stateName } from './state-map.ts';
import type { StateMap } from './state-map.ts';

/*
 * What a loader loads, in three steps:
 *
 *   1. the PDUs of `eventsNeededWithChains`, their auth events, the auth events of these, and so on to the start of the room;
 *   2. the PDUs of `unconflictedEventsNeeded`, asked with all that step 1 brought;
 *   3. from algorithm 2 on, for all other events of the states: the ids of their auth events, of the auth events of these, and so on.
 */

/** The events that states disagree about, each once. */
export function conflictedEventIds(conflicted: SplitStates['conflicted']): readonly string[] {
  return [...new Set([...conflicted.values()].flat())];
}

/**
 * The events whose PDUs resolution needs together with the PDUs of their whole auth chains. (Version 1 does not look at auth chains:
 * there these events suffice.) Besides the conflicted events this is, in version 2, the power levels that no state disputes: the
 * others are sorted along their auth chain.
 */
export function eventsNeededWithChains(
  version: RoomVersion,
  { conflicted, unconflicted }: SplitStates,
): readonly string[] {
  const eventIds = conflictedEventIds(conflicted);
  if (eventIds.length === 0 || version.stateResolution !== 'v2') return eventIds;
  const powerLevels = unconflicted.get(POWER_LEVELS);
  return powerLevels === undefined ? eventIds : [...new Set([...eventIds, powerLevels])];
}

/**
 * The unconflicted events that conflicted ones may be authorised against, and from room version 12 on the create event: their PDUs
 * are needed too, without their auth chains.
 *
 * @param events the conflicted events with their auth chains; more does no harm
 * @param unconflicted as `splitStates` gives it, by either definition
 */
export function unconflictedEventsNeeded(
  version: RoomVersion,
  events: Iterable<ResolutionEvent>,
  unconflicted: StateMap,
): readonly string[] {
  const needed = new Set<string>();
  for (const { pdu } of events) {
    if (!version.createInAuthEvents && pdu.room_id !== undefined) {
      needed.add(createEventIdOfRoom(pdu.room_id));
    }
    // Version 2.1 starts from nothing: what it misses it takes from the auth events of each event.
    if (version.stateResolution === 'v2.1') continue;
    for (const { type, stateKey } of authEventKeys(version, pdu)) {
      const eventId = unconflicted.get(stateName(type, stateKey));
      if (eventId !== undefined) needed.add(eventId);
    }
  }
  return [...needed];
}

const POWER_LEVELS = stateName('m.room.power_levels', '');
