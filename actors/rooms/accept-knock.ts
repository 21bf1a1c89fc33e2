import { findEvent } from '../../db/rooms/event-reader.ts';
import { type OutOfBandMember, storeForeignRoom } from '../../db/rooms/out-of-band-writer.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { InputOf } from '../kit/protocol.ts';
import { commitOutOfBand } from './commit-out-of-band.ts';
import { parseForeignEvent } from './foreign-event.ts';
import { checkToldState, knownVersion } from './invite-checks.ts';
import type { RoomsProtocol, Sent } from './protocol.ts';
import { type Reception, sentOfReceived } from './receive-invite.ts';
import type { RoomsDesk } from './rooms-desk.ts';

type AcceptKnock = InputOf<RoomsProtocol, 'rooms.accept-knock'>;

/** A knock that says what it is. */
interface CheckedKnock {
  readonly pdu: Pdu;
  readonly strippedState: readonly unknown[];
  readonly creator: string;
}

function checkKnock(input: AcceptKnock, serverName: string): CheckedKnock | Refusal {
  const version = knownVersion(input.roomVersion);
  if (isRefusal(version)) return version;
  const pdu = parseForeignEvent(version, input.roomId, input.event.pdu);
  if (isRefusal(pdu)) return pdu;
  const { type, sender, state_key: userId, content } = pdu;
  const isKnock = type === 'm.room.member' && content['membership'] === 'knock' && userId === sender;
  if (!isKnock || !isOfServer(sender, serverName))
    return refuse('M_BAD_JSON', 'the event is no knock of a user of this server');
  const told = checkToldState(version, input.roomId, input.strippedState);
  return isRefusal(told) ? told : { pdu, ...told };
}

/** In a room that this server has come into meanwhile, it is an event like others. */
async function receiveInside(
  desk: RoomsDesk,
  reception: Reception,
  { roomId, event, receivedFrom }: AcceptKnock,
): Promise<Sent | Refusal> {
  const question = { roomId, event, receivedFrom, stateBefore: null, isFinal: false };
  const received = await reception.receive(question);
  if (isRefusal(received)) return received;
  if (received.kind === 'missing') return refuse('M_FORBIDDEN', 'the events before the knock are not known');
  return sentOfReceived(desk, reception, received);
}

/**
 * Takes in the knock of a local user that a server in the room has accepted: in a room that this server is not in, an event outside of any
 * timeline, which makes the room known. Server-Server API v1.19, "Knocking upon a room".
 *
 * @returns refused with M_UNSUPPORTED_ROOM_VERSION, M_BAD_JSON (also for a version that is not the known one of the room), M_MISSING_PARAM,
 * M_INVALID_PARAM
 */
export async function acceptKnock(
  desk: RoomsDesk,
  reception: Reception,
  input: AcceptKnock,
): Promise<Sent | Refusal> {
  const { roomId, roomVersion, event, receivedFrom } = input;
  const { eventId } = event;
  const knock = checkKnock(input, desk.serverName);
  if (isRefusal(knock)) return knock;
  const known = await findRoom(desk.db, roomId);
  if (known !== undefined && known.roomVersion !== roomVersion)
    return refuse('M_BAD_JSON', `${roomId} is of room version ${known.roomVersion}`);
  if ((await desk.rooms.find(roomId)) !== undefined) return receiveInside(desk, reception, input);
  const stored = await findEvent(desk.db, eventId);
  if (stored !== undefined) return refuse('M_BAD_JSON', `${eventId} is known already`);
  const { pdu, strippedState, creator } = knock;
  const { sender: userId, depth, origin_server_ts: originServerTs } = pdu;
  const roomNid = known?.roomNid ?? reception.maker.nextRoomNid();
  const before = known === undefined ? [storeForeignRoom({ roomNid, roomId, roomVersion, creator })] : [];
  const member: OutOfBandMember = {
    roomNid,
    userId,
    membership: 'knock',
    sender: userId,
    eventId,
    depth,
    originServerTs,
    pdu: JSON.stringify({ ...pdu, unsigned: { knock_room_state: strippedState } }),
    // Who helped with it is who can be asked to take it back.
    receivedFrom,
  };
  return commitOutOfBand(desk, roomId, member, { before });
}
