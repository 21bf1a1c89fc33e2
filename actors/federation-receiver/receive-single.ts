import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { Received } from '../rooms/protocol.ts';
import { readValid } from './event-order.ts';
import type { FederationReceiverProtocol } from './protocol.ts';
import { newBudget, receiveValid } from './receive-valid.ts';
import { findOpenRoom, type ReceiverDesk } from './receiver-desk.ts';

type ReceiveEvent = InputOf<FederationReceiverProtocol, 'federation-receiver.receive-event'>;

/**
 * Takes in one event that is not part of a transaction, with what it needs.
 *
 * @returns refused with M_NOT_FOUND when this server is not in the room, M_FORBIDDEN when the room's access control list shuts `origin`
 *   out or a signature is wrong, M_BAD_JSON when it is not an event of the room
 */
export async function receiveSingle(
  desk: ReceiverDesk,
  { origin, roomId, pdu, isRelayed }: ReceiveEvent,
): Promise<Received | Refusal> {
  const room = await findOpenRoom(desk, roomId, origin);
  if (isRefusal(room)) return room;
  const checked = await desk.check(room.version, [pdu]);
  if (isRefusal(checked)) return checked;
  const [one] = checked;
  if (one === undefined) throw new Error('an event was checked without an outcome');
  if (one.kind === 'invalid') return refuse(one.eventId === null ? 'M_BAD_JSON' : 'M_FORBIDDEN', one.reason);
  if (one.roomId !== roomId) return refuse('M_BAD_JSON', `the event is not of ${roomId}`);
  const peer = { serverName: origin, roomId, isCalling: true };
  return receiveValid(desk, { room, peer, isRelayed, budget: newBudget() }, readValid(one.event));
}
