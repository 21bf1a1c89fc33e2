import { isJsonObject, type Json } from '../../src/kit/json.ts';
import { checkPduFormat, type Pdu } from '../../src/matrix/events/pdu.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';

/**
 * Reads an event that another server gave for a room.
 *
 * @param text JSON
 * @returns refused with M_BAD_JSON or M_TOO_LARGE when it is no event of the room version, M_BAD_JSON when it is of another room
 */
export function parseForeignEvent(version: RoomVersion, roomId: string, text: string): Pdu | Refusal {
  const parsed = JSON.parse(text) as Json;
  if (!isJsonObject(parsed)) return refuse('M_BAD_JSON', 'an event is an object');
  const wrong = checkPduFormat(version, parsed);
  if (wrong !== null) return wrong;
  // Checked above: it has the shape.
  const pdu = parsed as unknown as Pdu;
  const isNameless = version.roomIdFormat === 'create-event' && pdu.type === 'm.room.create';
  if (!isNameless && pdu.room_id !== roomId) return refuse('M_BAD_JSON', `the event is not of ${roomId}`);
  return pdu;
}
