import { findAccount } from '../../db/accounts/reader.ts';
import { checkMemberEvent } from '../../src/federation/memberships/check-member-event.ts';
import { isJsonObject } from '../../src/kit/json.ts';
import { countersignEvent } from '../../src/matrix/events/event-signatures.ts';
import { hasValidContentHash } from '../../src/matrix/events/hashes.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { findRoomVersion, type RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { checkToldState } from './check-told-state.ts';
import { answerOr } from '../answer-or.ts';
import type { RemoteDesk } from './desk.ts';
import type { RemoteRoomsProtocol } from './protocol.ts';

type ReceiveInvite = InputOf<RemoteRoomsProtocol, 'remote-rooms.receive-invite'>;
type Signed = OutputOf<RemoteRoomsProtocol, 'remote-rooms.receive-invite'>;

/** An invite whose event is what it has to be, and whose target is somebody. */
async function checkInvite(
  desk: RemoteDesk,
  version: RoomVersion,
  input: ReceiveInvite,
): Promise<{ readonly kind: 'invite'; readonly pdu: Pdu } | Refusal> {
  const { origin, roomId, eventId } = input;
  const { unsigned: _unsigned, ...event } = input.event;
  const member = checkMemberEvent(version, event, { roomId, eventId, membership: 'invite' });
  if (isRefusal(member)) return member;
  const { pdu, userId } = member;
  // Any server of the room may make an invite of one by e-mail or telephone: who has found the user has signed it.
  const isThirdParty = isJsonObject(pdu.content['third_party_invite']);
  if (!isThirdParty && !isOfServer(pdu.sender, origin))
    return refuse('M_INVALID_PARAM', `${pdu.sender} is not a user of ${origin}`);
  if (!isOfServer(userId, desk.signer.serverName))
    return refuse('M_INVALID_PARAM', `${userId} is not a user of this server`);
  const account = await findAccount(desk.db, userId);
  if (account === undefined || account.deactivatedTs !== null)
    return refuse('M_FORBIDDEN', `${userId} cannot be invited`);
  return { kind: 'invite', pdu };
}

/** What is signed is what came: nothing of it may be missing. */
async function checkSignature(
  desk: RemoteDesk,
  version: RoomVersion,
  pdu: Pdu,
): Promise<Refusal | undefined> {
  if (!hasValidContentHash(version, pdu)) return refuse('M_INVALID_PARAM', 'the hash of the invite is wrong');
  const checked = await desk.check(version, [pdu]);
  if (isRefusal(checked)) return checked;
  const [outcome] = checked;
  if (outcome?.kind === 'valid') return undefined;
  return refuse('M_INVALID_PARAM', `the invite is not valid: ${outcome?.reason ?? ''}`);
}

/**
 * Takes an invite of a local user by another server, and signs it. Server-Server API v1.19, `PUT /v2/invite/{roomId}/{eventId}`.
 *
 * @returns refused with M_INCOMPATIBLE_ROOM_VERSION, M_INVALID_PARAM, M_MISSING_PARAM, M_BAD_JSON, M_FORBIDDEN
 */
export async function receiveInvite(desk: RemoteDesk, input: ReceiveInvite): Promise<Signed> {
  const { roomId, eventId, roomVersion, origin } = input;
  const version = findRoomVersion(roomVersion);
  if (version === undefined)
    return refuse('M_INCOMPATIBLE_ROOM_VERSION', `room version ${roomVersion} is not known here`, {
      extra: { room_version: roomVersion },
    });
  const invite = await checkInvite(desk, version, input);
  if (isRefusal(invite)) return invite;
  const wrong = await checkSignature(desk, version, invite.pdu);
  if (wrong !== undefined) return wrong;
  const told = await checkToldState(desk, version, roomId, input.roomState, true);
  if (isRefusal(told)) return told;
  const event = countersignEvent(version, invite.pdu, desk.signer);
  const stored = await answerOr(
    desk.rooms.ask('rooms.receive-invite', {
      roomId,
      roomVersion,
      event: { eventId, pdu: JSON.stringify(event) },
      strippedState: told.state,
      receivedFrom: origin,
    }),
  );
  return isRefusal(stored) ? stored : { kind: 'signed', event };
}
