import type { Pdu, ProtoPdu } from '../events/pdu.ts';
import { eventIdOf } from '../events/event-id.ts';
import { domainOf } from '../identifiers/domain.ts';
import { createEventIdOfRoom } from '../identifiers/room-id.ts';
import { parseUserId } from '../identifiers/user-id.ts';
import { ALLOWED, membershipOf, reject } from './auth-decision.ts';
import type { AuthDecision, AuthState } from './auth-decision.ts';
import { authoriseMember } from './auth-rules-member.ts';
import { authorisePowerLevels } from './auth-rules-power-levels.ts';
import { ownerOfStateKey } from './owned-state.ts';
import { ruleNumbers } from './auth-rule-numbers.ts';
import { powerLevels } from './power-levels.ts';
import type { PowerLevels } from './power-levels.ts';
import { findRoomVersion } from './room-versions.ts';
import type { RoomVersion } from './room-versions.ts';

/** An event to be authorised, with its room: the create event of room version 12 does not name it. */
export interface AuthSubject {
  /** For a create event of room version 12 the id that it makes. */
  readonly roomId: string;
  readonly pdu: ProtoPdu;
}

/**
 * Decides whether an event is allowed at a state, by the rules of its room version. Ask three times for an event of another server:
 * with the state that its own auth events make, with the state before it, and with the current state.
 *
 * Two parts of the rules are decided elsewhere: which events its `auth_events` may be (`checkAuthEvents`), and whether the server of
 * `join_authorised_via_users_server` has signed (`requiredSigners`), for that takes keys.
 *
 * Each room version, "Authorization rules".
 */
export function authorise(version: RoomVersion, subject: AuthSubject, state: AuthState): AuthDecision {
  const { pdu } = subject;
  if (pdu.type === 'm.room.create') return authoriseCreate(version, pdu);
  const create = state.find('m.room.create', '');
  if (create === undefined) return noCreate(version);
  if (!version.createInAuthEvents && createEventIdOfRoom(subject.roomId) !== idOfCreate(version, create)) {
    return reject(ruleNumbers(version).top.room, 'the room id is not the id of the create event');
  }
  if (create.content['m.federate'] === false && domainOf(pdu.sender) !== domainOf(create.sender)) {
    return reject(ruleNumbers(version).top.federate, 'the room is for users of its own server only');
  }
  if (version.aliasesAuthRule && pdu.type === 'm.room.aliases') return authoriseAliases(version, pdu);
  if (pdu.type === 'm.room.member') {
    return authoriseMember(version, pdu, { state, create, createId: () => idOfCreate(version, create) });
  }
  if (membershipOf(state, pdu.sender) !== 'join') {
    return reject(ruleNumbers(version).top.senderJoined, `${pdu.sender} is not in the room`);
  }
  const current = state.find('m.room.power_levels', '');
  return authoriseByLevel(version, pdu, powerLevels(version, create, current), { create, current });
}

/** The last rules: everything that the sender's level decides. */
function authoriseByLevel(
  version: RoomVersion,
  pdu: ProtoPdu,
  levels: PowerLevels,
  state: { readonly create: Pdu; readonly current: Pdu | undefined },
): AuthDecision {
  const senderLevel = levels.ofUser(pdu.sender);
  if (pdu.type === 'm.room.third_party_invite') {
    if (senderLevel >= levels.invite) return ALLOWED;
    return reject(`${ruleNumbers(version).top.thirdPartyInvite}.1`, `${pdu.sender} may not invite`);
  }
  const required = levels.forEvent(pdu.type, pdu.state_key !== undefined);
  if (required > senderLevel) {
    return reject(
      ruleNumbers(version).top.requiredLevel,
      `${pdu.type} takes level ${required}, and ${pdu.sender} has ${senderLevel}`,
    );
  }
  const ofState = authoriseStateKey(version, pdu, levels);
  if (!ofState.allowed) return ofState;
  if (pdu.type === 'm.room.power_levels') {
    return authorisePowerLevels(version, pdu, { ...state, senderLevel });
  }
  if (version.redactionAuthRule && pdu.type === 'm.room.redaction') {
    return authoriseRedaction(version, pdu, senderLevel >= levels.redact);
  }
  return ALLOWED;
}

/** Whose state may be set. Where state is owned, whoever stands above its owner may set it, too: MSC3757. */
function authoriseStateKey(version: RoomVersion, pdu: ProtoPdu, levels: PowerLevels): AuthDecision {
  const { state_key: stateKey, sender } = pdu;
  if (stateKey === undefined) return ALLOWED;
  const rule = ruleNumbers(version).top.userStateKey;
  const isOfOther = reject(rule, 'state of a user is set by that user');
  if (!version.ownedState) return stateKey.startsWith('@') && stateKey !== sender ? isOfOther : ALLOWED;
  const owner = ownerOfStateKey(stateKey);
  if (owner === 'malformed') return reject(rule, 'state_key does not begin with a user id');
  if (owner === 'too-long') return reject(rule, 'state_key is too long');
  if (owner === null || owner === sender) return ALLOWED;
  return levels.ofUser(sender) > levels.ofUser(owner) ? ALLOWED : isOfOther;
}

function authoriseCreate(version: RoomVersion, pdu: ProtoPdu): AuthDecision {
  const { create: numbers } = ruleNumbers(version);
  if (pdu.prev_events.length > 0) return reject(numbers.prevEvents, 'a create event comes first');
  if (version.roomIdFormat === 'create-event') {
    if (pdu.room_id !== undefined) return reject(numbers.room, 'the create event makes the room id');
  } else if (pdu.room_id === undefined || domainOf(pdu.room_id) !== domainOf(pdu.sender)) {
    return reject(numbers.room, "the room id is not of the sender's server");
  }
  const roomVersion = pdu.content['room_version'];
  if (roomVersion !== undefined && (typeof roomVersion !== 'string' || !findRoomVersion(roomVersion))) {
    return reject(numbers.version, 'the room version is unknown');
  }
  if (version.creatorInContent && pdu.content['creator'] === undefined) {
    return reject(numbers.creators, 'content.creator is missing');
  }
  if (version.creatorsArePrivileged && !areAdditionalCreators(pdu.content['additional_creators'])) {
    return reject(numbers.creators, 'content.additional_creators is not a list of user ids');
  }
  return ALLOWED;
}

function areAdditionalCreators(value: unknown): boolean {
  if (value === undefined) return true;
  return (
    Array.isArray(value) &&
    value.every((userId) => typeof userId === 'string' && parseUserId(userId) !== undefined)
  );
}

function noCreate(version: RoomVersion): AuthDecision {
  const numbers = ruleNumbers(version);
  const rule = version.createInAuthEvents ? numbers.authEvents.create : numbers.top.room;
  return reject(rule, 'there is no create event');
}

function authoriseAliases(version: RoomVersion, pdu: ProtoPdu): AuthDecision {
  const { aliases } = ruleNumbers(version);
  if (pdu.state_key === undefined) return reject(aliases.stateKey, 'state_key is missing');
  if (pdu.state_key !== domainOf(pdu.sender)) {
    return reject(aliases.domain, "state_key is not the sender's server");
  }
  return ALLOWED;
}

/** Rule 11 of room versions 1 and 2. An event of ours gets its id after this: it will be of the sender's server. */
function authoriseRedaction(version: RoomVersion, pdu: ProtoPdu, mayRedactAll: boolean): AuthDecision {
  if (mayRedactAll) return ALLOWED;
  const ownDomain = domainOf(pdu.event_id ?? pdu.sender);
  if (pdu.redacts !== undefined && domainOf(pdu.redacts) === ownDomain) return ALLOWED;
  return reject(`${ruleNumbers(version).top.redaction}.3`, `${pdu.sender} may not redact the event`);
}

const createIds = new WeakMap<Pdu, string | undefined>();

/** The id of a room's create event, computed once for each object: it is asked for with every event of a room of version 12. */
function idOfCreate(version: RoomVersion, create: Pdu): string | undefined {
  if (!createIds.has(create)) createIds.set(create, eventIdOf(version, create));
  return createIds.get(create);
}
