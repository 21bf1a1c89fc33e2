import type { JsonObject } from '../../kit/json.ts';
import { edgeIds } from '../events/pdu.ts';
import type { Pdu, ProtoPdu } from '../events/pdu.ts';
import { parseUserId } from '../identifiers/user-id.ts';
import { ALLOWED, membershipOf, reject } from './auth-decision.ts';
import type { AuthDecision, AuthState } from './auth-decision.ts';
import { ruleNumbers } from './auth-rule-numbers.ts';
import type { RuleNumbers } from './auth-rule-numbers.ts';
import { authoriseThirdPartyInvite } from './auth-rules-third-party.ts';
import { creatorsOf } from './creators.ts';
import { powerLevels } from './power-levels.ts';
import type { PowerLevels } from './power-levels.ts';
import type { RoomVersion } from './room-versions.ts';

/** The room that a membership changes in. */
export interface MemberAuthContext {
  readonly state: AuthState;
  readonly create: Pdu;
  /** The create event's id; asked for only by the first join of a room. */
  createId(): string | undefined;
}

/** All that the rules of one membership event look at. */
interface MemberChange {
  readonly version: RoomVersion;
  readonly numbers: RuleNumbers;
  readonly pdu: ProtoPdu;
  readonly content: JsonObject;
  readonly sender: string;
  readonly target: string;
  readonly context: MemberAuthContext;
  readonly levels: PowerLevels;
}

/**
 * The rules for `m.room.member`: rule 5 in room versions 1 to 5 and 12, rule 4 between.
 */
export function authoriseMember(
  version: RoomVersion,
  pdu: ProtoPdu,
  context: MemberAuthContext,
): AuthDecision {
  const numbers = ruleNumbers(version);
  const { content, sender } = pdu;
  const { membership } = content;
  if (pdu.state_key === undefined || membership === undefined) {
    return reject(numbers.member.shape, 'state_key or content.membership is missing');
  }
  const via = content['join_authorised_via_users_server'];
  if (version.restricted && via !== undefined && (typeof via !== 'string' || !parseUserId(via))) {
    return reject(`${numbers.member.via}.1`, 'join_authorised_via_users_server is not a user');
  }
  const levels = powerLevels(version, context.create, context.state.find('m.room.power_levels', ''));
  const change = { version, numbers, pdu, content, sender, target: pdu.state_key, context, levels };
  if (membership === 'join') return authoriseJoin(change);
  if (membership === 'invite') return authoriseInvite(change);
  if (membership === 'leave') return authoriseLeave(change);
  if (membership === 'ban') return authoriseBan(change);
  if (membership === 'knock' && version.knock) return authoriseKnock(change);
  return reject(numbers.member.unknown, 'the membership is unknown');
}

function authoriseJoin(change: MemberChange): AuthDecision {
  const { version, sender, target, context } = change;
  const { join: rules } = change.numbers;
  if (isFirstJoin(change)) return ALLOWED;
  if (sender !== target) return reject(rules.self, 'nobody joins for another user');
  const membership = membershipOf(context.state, sender);
  if (membership === 'ban') return reject(rules.banned, `${sender} is banned`);
  const joinRule = joinRuleOf(context.state);
  const isInside = membership === 'invite' || membership === 'join';
  if (joinRule === 'invite' || (joinRule === 'knock' && version.knock)) {
    return isInside ? ALLOWED : reject(rules.otherwise, `${sender} is not invited`);
  }
  if (isRestricted(version, joinRule)) {
    return isInside || isAuthorisedByMember(change)
      ? ALLOWED
      : reject(`${rules.restricted}.2`, 'the join is not authorised by a user who may invite');
  }
  if (joinRule === 'public') return ALLOWED;
  return reject(rules.otherwise, `the join rule ${joinRule} lets nobody in`);
}

function isFirstJoin({ version, pdu, target, context }: MemberChange): boolean {
  if (pdu.prev_events.length !== 1 || target !== creatorsOf(version, context.create)[0]) return false;
  return edgeIds(pdu.prev_events)[0] === context.createId();
}

function isRestricted(version: RoomVersion, joinRule: string): boolean {
  if (joinRule === 'restricted') return version.restricted;
  return joinRule === 'knock_restricted' && version.knockRestricted;
}

/** True when the user of `join_authorised_via_users_server` is in the room and may invite. */
function isAuthorisedByMember({ content, context, levels }: MemberChange): boolean {
  const via = content['join_authorised_via_users_server'];
  if (typeof via !== 'string' || membershipOf(context.state, via) !== 'join') return false;
  return levels.ofUser(via) >= levels.invite;
}

function authoriseInvite(change: MemberChange): AuthDecision {
  const { sender, target, context, levels, content } = change;
  const rule = change.numbers.member.invite;
  if (content['third_party_invite'] !== undefined) {
    return authoriseThirdPartyInvite(change.version, change.pdu, target, context.state, `${rule}.1`);
  }
  if (membershipOf(context.state, sender) !== 'join') return reject(`${rule}.2`, notInRoom(sender));
  const membership = membershipOf(context.state, target);
  if (membership === 'join' || membership === 'ban') {
    return reject(`${rule}.3`, `${target} is ${membership === 'join' ? 'in the room' : 'banned'}`);
  }
  if (levels.ofUser(sender) >= levels.invite) return ALLOWED;
  return reject(`${rule}.5`, `inviting takes level ${levels.invite}`);
}

function authoriseLeave(change: MemberChange): AuthDecision {
  const { version, sender, target, context, levels } = change;
  const rule = change.numbers.member.leave;
  const senderMembership = membershipOf(context.state, sender);
  if (sender === target) {
    const mayLeave =
      senderMembership === 'join' ||
      senderMembership === 'invite' ||
      (senderMembership === 'knock' && version.knock);
    return mayLeave ? ALLOWED : reject(`${rule}.1`, `${sender} has nothing to leave`);
  }
  if (senderMembership !== 'join') return reject(`${rule}.2`, notInRoom(sender));
  const senderLevel = levels.ofUser(sender);
  if (membershipOf(context.state, target) === 'ban' && senderLevel < levels.ban) {
    return reject(`${rule}.3`, `lifting a ban takes level ${levels.ban}`);
  }
  if (senderLevel >= levels.kick && levels.ofUser(target) < senderLevel) return ALLOWED;
  return reject(`${rule}.5`, `${sender} may not remove ${target}`);
}

function authoriseBan({ numbers, sender, target, context, levels }: MemberChange): AuthDecision {
  const rule = numbers.member.ban;
  if (membershipOf(context.state, sender) !== 'join') return reject(`${rule}.1`, notInRoom(sender));
  const senderLevel = levels.ofUser(sender);
  if (senderLevel >= levels.ban && levels.ofUser(target) < senderLevel) return ALLOWED;
  return reject(`${rule}.3`, `${sender} may not ban ${target}`);
}

function authoriseKnock({ version, numbers, sender, target, context }: MemberChange): AuthDecision {
  const rule = numbers.member.knock;
  const joinRule = joinRuleOf(context.state);
  if (joinRule !== 'knock' && !(joinRule === 'knock_restricted' && version.knockRestricted)) {
    return reject(`${rule}.1`, `the join rule is ${joinRule}: knocking is not possible`);
  }
  if (sender !== target) return reject(`${rule}.2`, 'nobody knocks for another user');
  const membership = membershipOf(context.state, sender);
  if (membership !== 'ban' && membership !== 'invite' && membership !== 'join') return ALLOWED;
  return reject(`${rule}.4`, `${sender} has the membership ${membership}`);
}

/** A room without join rules is for invited users. Client-Server API v1.19, "m.room.join_rules". */
function joinRuleOf(state: AuthState): string {
  const joinRule = state.find('m.room.join_rules', '')?.content['join_rule'];
  return typeof joinRule === 'string' ? joinRule : 'invite';
}

function notInRoom(userId: string): string {
  return `${userId} is not in the room`;
}
