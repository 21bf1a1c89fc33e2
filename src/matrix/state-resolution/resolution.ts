import type { Pdu } from '../events/pdu.ts';
import type { AuthDecision } from '../rooms/auth-decision.ts';
import type { RoomVersion } from '../rooms/room-versions.ts';
import type { StateMap } from './state-map.ts';

/** An event as resolution looks at it. */
export interface ResolutionEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
  /** It was rejected when it came: it takes part in no state and authorises nothing. */
  readonly isRejected: boolean;
}

/**
 * Where resolution finds events. Synchronous: whoever resolves has loaded before what needed-events.ts names.
 * Both throw for an event that was not loaded: that is a defect, not an absent event. Nothing is asked when no entry is conflicted.
 */
export interface ResolutionSource {
  /**
   * An event whole. Asked of
   * - the events of `eventsNeededWithChains` and their whole auth chains: the conflicted events, and in version 2 the power levels that
   *   no state disputes (in version 1 of the conflicted events only, without chains);
   * - the events of `unconflictedEventsNeeded`, without their chains: what conflicted events and their chains may be authorised
   *   against, and from room version 12 on the create event, which is in no auth chain.
   */
  event(eventId: string): ResolutionEvent;
  /**
   * The ids of its auth events: of every event of every state, conflicted or not, and of all their auth chains to the start of the
   * room. Never asked in version 1.
   */
  authEventIds(eventId: string): readonly string[];
}

/** What is resolved. */
export interface ResolutionInput {
  readonly version: RoomVersion;
  readonly roomId: string;
  /** At least one. Rejected events are in none of them. */
  readonly states: readonly StateMap[];
  readonly source: ResolutionSource;
}

/** Why one event of a resolution stands or falls: for people. */
export interface ResolutionStep {
  readonly eventId: string;
  /** `power`: sorted by power and checked first; `mainline`: the others; `v1`: the passes of version 1, in their order. */
  readonly pass: 'power' | 'mainline' | 'v1';
  /** Besides the numbers of the rules, `rule` may be `rejected` (it was when it came) or `state_key` (it is not state). */
  readonly decision: AuthDecision;
}

/** How a resolution came about. */
export interface ResolutionTrace {
  readonly algorithm: RoomVersion['stateResolution'];
  /** By the name of each place, the events that the states disagree about; a state without an entry there is not listed. */
  readonly conflicted: ReadonlyMap<string, readonly string[]>;
  /** Events that are in some states' auth chains and not in all; empty in version 1. */
  readonly authDifference: readonly string[];
  /** Version 2.1: events on an auth path between two conflicted events; empty otherwise. */
  readonly conflictedSubgraph: readonly string[];
  /** In the order in which they were decided on. */
  readonly steps: readonly ResolutionStep[];
}
