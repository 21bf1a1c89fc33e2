import { findEvent } from '../../db/rooms/event-reader.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { InputOf } from '../kit/protocol.ts';
import { commitOutOfBand } from './commit-out-of-band.ts';
import { parseForeignEvent } from './foreign-event.ts';
import { findPending } from './leave-out-of-band.ts';
import type { Received, RoomsProtocol } from './protocol.ts';
import type { RoomsDesk } from './rooms-desk.ts';

type ReceiveEvent = InputOf<RoomsProtocol, 'rooms.receive-event'>;

const ENDINGS: ReadonlySet<unknown> = new Set(['leave', 'ban']);

/** The local user whom an event makes leave; undefined for any other event. */
function leaverOf({ type, state_key: userId, sender, content }: Pdu, serverName: string): string | undefined {
  if (type !== 'm.room.member' || userId === undefined || !isOfServer(userId, serverName)) return undefined;
  return ENDINGS.has(content['membership']) && userId !== sender ? userId : undefined;
}

/**
 * An invite that is taken back, or a knock that is turned down, in a room that this server is not in. Nothing of the room's state is known here
 * to authorise it with: it is believed when it names the invite or the knock among its auth events, whose id only servers in the room know,
 * and is signed by its sender's server, which the caller has checked.
 *
 * @returns refused with M_NOT_FOUND for any other event
 */
export async function receiveDeparture(desk: RoomsDesk, input: ReceiveEvent): Promise<Received | Refusal> {
  const { roomId, event, receivedFrom } = input;
  const notHere = refuse('M_NOT_FOUND', `this server is in no room ${roomId}`);
  const room = await findRoom(desk.db, roomId);
  if (room === undefined) return notHere;
  const pdu = parseForeignEvent(getRoomVersion(room.roomVersion), roomId, event.pdu);
  if (isRefusal(pdu)) return notHere;
  const userId = leaverOf(pdu, desk.serverName);
  const standing = userId === undefined ? undefined : await findPending(desk, roomId, userId);
  if (userId === undefined || standing === undefined) return notHere;
  if (!edgeIds(pdu.auth_events).includes(standing.eventId)) return notHere;
  const { eventId } = event;
  if ((await findEvent(desk.db, eventId)) !== undefined) return { kind: 'known', eventId };
  const { unsigned: _unsigned, ...signed } = pdu;
  const { sender, depth, origin_server_ts: originServerTs, content } = signed;
  const membership = content['membership'] === 'ban' ? 'ban' : 'leave';
  const member = { roomNid: room.roomNid, userId, membership, sender, receivedFrom };
  const stored = { ...member, eventId, depth, originServerTs, pdu: JSON.stringify(signed) };
  const outcome = await commitOutOfBand(desk, roomId, stored);
  return isRefusal(outcome) ? outcome : { kind: 'accepted', eventId, position: outcome.position };
}
