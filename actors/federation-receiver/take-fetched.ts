import type { JsonObject } from '../../src/kit/json.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import type { Peer } from './ask-peer.ts';
import { readValid, type ValidEvent } from './event-order.ts';
import type { ReceiverDesk, RoomAtHand } from './receiver-desk.ts';

/**
 * Checks events that a peer has given: those that are valid and of the room, each once. What is wrong is logged and left out, so that a
 * broken event harms no other.
 */
export async function takeFetched(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  events: readonly JsonObject[],
): Promise<readonly ValidEvent[]> {
  if (events.length === 0) return [];
  const checked = await desk.check(room.version, events);
  if (isRefusal(checked)) return [];
  const valid = new Map<string, ValidEvent>();
  for (const one of checked) {
    if (one.kind === 'valid' && one.roomId === room.roomId) {
      valid.set(one.event.eventId, readValid(one.event));
      continue;
    }
    desk.log.info('a server gave an event that is none of the room', {
      server: peer.serverName,
      roomId: room.roomId,
      eventId: one.kind === 'valid' ? one.event.eventId : one.eventId,
      reason: one.kind === 'valid' ? 'it is of another room' : one.reason,
    });
  }
  return [...valid.values()];
}
