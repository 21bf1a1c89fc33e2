import type { Pdu } from '../events/pdu.ts';

/** Names one place in a room's state. */
export interface StateKey {
  readonly type: string;
  readonly stateKey: string;
}

/** The state that an event is authorised against. */
export interface AuthState {
  /** The event at a place of the state; in every room version `m.room.create` is found here. */
  find(type: string, stateKey: string): Pdu | undefined;
}

/** The answer of the authorisation rules. */
export type AuthDecision =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      /** The number of the rule in the room version's own list, such as `4.3.5.2`. */
      readonly rule: string;
      /** For people. */
      readonly reason: string;
    };

/** The one way to say yes. */
export const ALLOWED: AuthDecision = { allowed: true };

/** Says no. */
export function reject(rule: string, reason: string): AuthDecision {
  return { allowed: false, rule, reason };
}

/** A user's membership in a state; who has none counts as having left. */
export function membershipOf(state: AuthState, userId: string): string {
  const membership = state.find('m.room.member', userId)?.content['membership'];
  return typeof membership === 'string' ? membership : 'leave';
}
