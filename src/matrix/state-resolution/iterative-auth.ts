import { createEventIdOfRoom } from '../identifiers/room-id.ts';
import { reject } from '../rooms/auth-decision.ts';
import type { AuthDecision, AuthState } from '../rooms/auth-decision.ts';
import { authorise } from '../rooms/auth-rules.ts';
import { findAuthEventAt } from './auth-event-at.ts';
import type { ResolutionInput, ResolutionStep } from './resolution.ts';
import { stateName } from './state-map.ts';
import type { StateMap } from './state-map.ts';

/** A state that grows while events are checked against it. */
export interface PartialState {
  /** What it began with. */
  readonly base: StateMap;
  /** What was allowed since; it lies over the base. */
  readonly allowed: Map<string, string>;
}

/**
 * The iterative auth checks: each event in turn that the authorisation rules allow at the state so far becomes part of it; the others
 * are passed over. Where the state so far has nothing at a place that the rules look at, the event's own auth event of that place
 * counts, unless it was rejected. Room version 2, "Iterative auth checks", v1.19.
 *
 * An event that was rejected when it came is passed over too: this server has it in no state. What the rules say of `auth_events`
 * themselves does not depend on a state; it was decided when the event came.
 *
 * @param state is changed
 * @param onStep is told each decision
 */
export function checkIteratively(
  input: ResolutionInput,
  eventIds: Iterable<string>,
  state: PartialState,
  onStep?: (step: Omit<ResolutionStep, 'pass'>) => void,
): void {
  for (const eventId of eventIds) {
    const decision = decide(input, eventId, state);
    if (decision.allowed) {
      const { type, state_key: stateKey = '' } = input.source.event(eventId).pdu;
      state.allowed.set(stateName(type, stateKey), eventId);
    }
    onStep?.({ eventId, decision });
  }
}

function decide(input: ResolutionInput, eventId: string, state: PartialState): AuthDecision {
  const { version, roomId, source } = input;
  const { pdu, isRejected } = source.event(eventId);
  if (isRejected) return reject('rejected', 'the event was rejected when it came');
  if (pdu.state_key === undefined) return reject('state_key', 'the event is not state');
  return authorise(version, { roomId, pdu }, stateFor(input, eventId, state));
}

/** The state that one event is checked against. */
function stateFor(
  { version, roomId, source }: ResolutionInput,
  eventId: string,
  state: PartialState,
): AuthState {
  return {
    find(type, stateKey) {
      if (type === 'm.room.create' && !version.createInAuthEvents) {
        return source.event(createEventIdOfRoom(roomId)).pdu;
      }
      const name = stateName(type, stateKey);
      const standing = state.allowed.get(name) ?? state.base.get(name);
      if (standing !== undefined) return source.event(standing).pdu;
      const own = findAuthEventAt(source, eventId, type, stateKey);
      return own === undefined || own.isRejected ? undefined : own.pdu;
    },
  };
}
