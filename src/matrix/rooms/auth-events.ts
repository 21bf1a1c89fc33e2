import { isJsonObject } from '../../kit/json.ts';
import type { ProtoPdu } from '../events/pdu.ts';
import { ALLOWED, reject } from './auth-decision.ts';
import type { AuthDecision, StateKey } from './auth-decision.ts';
import { ruleNumbers } from './auth-rule-numbers.ts';
import type { RoomVersion } from './room-versions.ts';

const CREATE: StateKey = { type: 'm.room.create', stateKey: '' };
const POWER_LEVELS: StateKey = { type: 'm.room.power_levels', stateKey: '' };
const JOIN_RULES: StateKey = { type: 'm.room.join_rules', stateKey: '' };

/** What the selection of auth events looks at. */
export type AuthSelectionSubject = Pick<ProtoPdu, 'type' | 'sender' | 'content'> & {
  readonly state_key?: string;
};

/**
 * The places of the state whose events must be the auth events of an event, as far as they exist.
 * Server-Server API v1.19, "Auth events selection".
 */
export function authEventKeys(version: RoomVersion, event: AuthSelectionSubject): readonly StateKey[] {
  if (event.type === 'm.room.create') return [];
  const keys = version.createInAuthEvents ? [CREATE, POWER_LEVELS] : [POWER_LEVELS];
  keys.push(memberKey(event.sender));
  if (event.type === 'm.room.member' && event.state_key !== undefined) {
    addMemberKeys(version, event, event.state_key, keys);
  }
  return keys;
}

function addMemberKeys(
  version: RoomVersion,
  event: AuthSelectionSubject,
  target: string,
  keys: StateKey[],
): void {
  if (target !== event.sender) keys.push(memberKey(target));
  const { membership, third_party_invite: thirdParty, join_authorised_via_users_server: via } = event.content;
  if (membership === 'join' || membership === 'invite' || membership === 'knock') keys.push(JOIN_RULES);
  if (membership === 'invite' && isJsonObject(thirdParty) && isJsonObject(thirdParty['signed'])) {
    const token = thirdParty['signed']['token'];
    if (typeof token === 'string') keys.push({ type: 'm.room.third_party_invite', stateKey: token });
  }
  if (version.restricted && typeof via === 'string' && via !== target && via !== event.sender) {
    keys.push(memberKey(via));
  }
}

function memberKey(userId: string): StateKey {
  return { type: 'm.room.member', stateKey: userId };
}

/** An event among the auth events of another, as it is known here. */
export interface AuthEvent {
  readonly roomId: string;
  readonly pdu: ProtoPdu;
  /** It was rejected itself when it came. */
  readonly isRejected: boolean;
}

/**
 * Checks which events an event names as its auth events: rule 2, in room version 12 rule 3.
 *
 * @param subject an event that is not the create event, with its room
 * @param authEvents all that its `auth_events` name
 */
export function checkAuthEvents(
  version: RoomVersion,
  subject: { readonly roomId: string; readonly pdu: ProtoPdu },
  authEvents: readonly AuthEvent[],
): AuthDecision {
  const { authEvents: numbers } = ruleNumbers(version);
  const places = authEvents.map(({ pdu }) => placeOf(pdu.type, pdu.state_key));
  if (new Set(places).size < places.length) return reject(numbers.duplicate, 'two events of one place');
  const selected = authEventKeys(version, subject.pdu).map((key) => placeOf(key.type, key.stateKey));
  if (!places.every((place) => selected.includes(place))) {
    return reject(numbers.unneeded, 'an event that is not selected for authorisation');
  }
  if (authEvents.some(({ isRejected }) => isRejected)) return reject(numbers.rejected, 'a rejected event');
  if (version.createInAuthEvents && !authEvents.some(({ pdu }) => pdu.type === 'm.room.create')) {
    return reject(numbers.create, 'the create event is missing');
  }
  if (authEvents.some(({ roomId }) => roomId !== subject.roomId)) {
    return reject(numbers.room, 'an event of another room');
  }
  return ALLOWED;
}

/** A text for a place of the state; message events have none, and no auth event is one. */
function placeOf(type: string, stateKey: string | undefined): string {
  return JSON.stringify([type, stateKey ?? null]);
}
