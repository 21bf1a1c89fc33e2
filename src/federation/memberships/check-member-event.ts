import type { JsonObject } from '../../kit/json.ts';
import { eventIdOf } from '../../matrix/events/event-id.ts';
import { checkPduFormat, type Pdu } from '../../matrix/events/pdu.ts';
import { isOfServer } from '../../matrix/identifiers/domain.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';
import type { RoomVersion } from '../../matrix/rooms/room-versions.ts';

/** What a member event that another server sends on its own has to be. */
export interface ExpectedMember {
  readonly roomId: string;
  readonly eventId: string;
  readonly membership: 'join' | 'leave' | 'knock' | 'invite';
}

/** A member event that is what it has to be. Its signatures were not looked at. */
export interface MemberEvent {
  readonly kind: 'member';
  readonly pdu: Pdu;
  /** Whose membership it is. */
  readonly userId: string;
}

function wrong(what: string): Refusal {
  return refuse('M_INVALID_PARAM', what);
}

/**
 * Checks that JSON of another server is a member event of a room version, with the id, the room and the membership that it is sent as.
 *
 * @returns refused with M_BAD_JSON or M_TOO_LARGE when it is no event, M_INVALID_PARAM when it is another one
 */
export function checkMemberEvent(
  version: RoomVersion,
  event: JsonObject,
  { roomId, eventId, membership }: ExpectedMember,
): MemberEvent | Refusal {
  const refusal = checkPduFormat(version, event);
  if (refusal !== null) return refusal;
  const pdu = event as Pdu;
  const { type, content, state_key: userId } = pdu;
  if (pdu.room_id !== roomId) return wrong(`the event is not of ${roomId}`);
  if (type !== 'm.room.member' || content['membership'] !== membership || userId === undefined)
    return wrong(`the event is no ${membership}`);
  if (eventIdOf(version, pdu) !== eventId) return wrong(`the event is not ${eventId}`);
  return { kind: 'member', pdu, userId };
}

/**
 * The same for an event with which a user of the calling server changes the own membership.
 * Server-Server API v1.19, `PUT /send_join`, `PUT /send_leave`, `PUT /send_knock`.
 */
export function checkOwnMemberEvent(
  version: RoomVersion,
  event: JsonObject,
  expected: ExpectedMember,
  origin: string,
): MemberEvent | Refusal {
  const member = checkMemberEvent(version, event, expected);
  if (member.kind === 'refused') return member;
  const { sender } = member.pdu;
  if (!isOfServer(sender, origin)) return wrong(`${sender} is not a user of ${origin}`);
  return member.userId === sender ? member : wrong('state_key is not the sender');
}
