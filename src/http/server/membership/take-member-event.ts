import type { InputOf } from '../../../../actors/kit/protocol.ts';
import type { FederationReceiverProtocol } from '../../../../actors/federation-receiver/protocol.ts';
import type { Received } from '../../../../actors/rooms/protocol.ts';
import { findEvent, type StoredEvent } from '../../../../db/rooms/event-reader.ts';
import { findRoom } from '../../../../db/rooms/room-reader.ts';
import {
  checkOwnMemberEvent,
  type ExpectedMember,
} from '../../../federation/memberships/check-member-event.ts';
import type { JsonObject } from '../../../kit/json.ts';
import type { Pdu } from '../../../matrix/events/pdu.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { getRoomVersion } from '../../../matrix/rooms/room-versions.ts';
import type { Services } from '../../kit/services.ts';
import { refuseServer } from './refuse-server.ts';

/** How long taking an event may take: what it follows may have to be fetched, and states to be resolved. Milliseconds. */
const RECEIVE_DEADLINE_MS = 120_000;

type MemberServices = Pick<Services, 'cached' | 'config' | 'db' | 'rooms' | 'federation-receiver'>;

/** A member event that was taken into its room. */
export interface TakenMember {
  readonly kind: 'taken';
  readonly event: StoredEvent;
}

/** Adds our signature where a user of ours lets the joining one in. */
async function vouched(services: MemberServices, roomId: string, pdu: Pdu): Promise<JsonObject | Refusal> {
  const via = pdu.content['join_authorised_via_users_server'];
  const isOurs = typeof via === 'string' && isOfServer(via, services.config.server.name);
  if (!isOurs || pdu.content['membership'] !== 'join') return pdu;
  const answer = await services.rooms.ask('rooms.vouch-for-join', { roomId, pdu });
  return isRefusal(answer) ? answer : answer.pdu;
}

async function receive(
  services: MemberServices,
  input: InputOf<FederationReceiverProtocol, 'federation-receiver.receive-event'>,
): Promise<Received | Refusal> {
  const deadline = { deadlineMs: RECEIVE_DEADLINE_MS };
  return services['federation-receiver'].ask('federation-receiver.receive-event', input, deadline);
}

/** The event where it stands in the timeline. */
async function findAccepted(services: MemberServices, received: Received): Promise<StoredEvent | Refusal> {
  const { kind, eventId } = received;
  if (kind === 'missing') return refuse('M_FORBIDDEN', 'The events before the event cannot be had.');
  if (kind !== 'accepted' && kind !== 'known') return refuse('M_FORBIDDEN', received.reason);
  const stored = await findEvent(services.db, eventId);
  if (stored === undefined) return refuse('M_NOT_FOUND', `The event ${eventId} is not known.`);
  if (stored.rejection !== null) return refuse('M_FORBIDDEN', stored.rejection);
  // Known out of an auth chain alone: it never came into the room.
  return stored.streamOrdering === null ? refuse('M_FORBIDDEN', 'The event is not of the timeline.') : stored;
}

/**
 * Takes a member event with which a user of another server changes the own membership into its room, and hands it on to the other servers
 * there. Server-Server API v1.19, `PUT /send_join`, `PUT /send_leave`, `PUT /send_knock`.
 *
 * @param origin the calling server
 * @returns refused with M_NOT_FOUND, M_FORBIDDEN, M_INVALID_PARAM, M_BAD_JSON, M_TOO_LARGE, M_UNABLE_TO_AUTHORISE_JOIN, M_UNABLE_TO_GRANT_JOIN
 */
export async function takeMemberEvent(
  services: MemberServices,
  origin: string,
  expected: ExpectedMember,
  body: JsonObject,
): Promise<TakenMember | Refusal> {
  const { roomId } = expected;
  const room = await findRoom(services.db, roomId);
  if (room === undefined) return refuse('M_NOT_FOUND', `This server is in no room ${roomId}.`);
  const refused = await refuseServer(services.cached, roomId, origin);
  if (refused !== undefined) return refused;
  const { unsigned: _unsigned, ...event } = body;
  const member = checkOwnMemberEvent(getRoomVersion(room.roomVersion), event, expected, origin);
  if (isRefusal(member)) return member;
  const pdu = await vouched(services, roomId, member.pdu);
  if (isRefusal(pdu)) return pdu;
  const received = await receive(services, { origin, roomId, pdu, isRelayed: true });
  if (isRefusal(received)) return received;
  const stored = await findAccepted(services, received);
  return isRefusal(stored) ? stored : { kind: 'taken', event: stored };
}
