import { readReceipt, readSettledWaiting, type WaitingEvent } from '../../db/rooms/inbound-reader.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { InputOf } from '../kit/protocol.ts';
import { placeEvent } from './place-event.ts';
import type { RoomsProtocol } from './protocol.ts';
import { storeOutliers } from './store-outliers.ts';
import type { ReceivedPdu } from './received-pdu.ts';
import { type RoomsDesk, withRoom } from './rooms-desk.ts';
import { referenceOf } from './stored-pdu.ts';

/** Events that are looked at again in one turn of a room; the others get theirs in another one. */
export const RECONSIDERED_PER_TURN_MAX = 100;

/** Looks again at an event of the timeline: it enters it late, if it may. */
function placeAgain(desk: RoomsDesk, roomId: string, waiting: WaitingEvent): Promise<Refusal | undefined> {
  return withRoom<Refusal | undefined>(
    desk,
    roomId,
    () => undefined,
    async (room) => {
      const { eventId, pdu: json, receivedFrom } = waiting;
      const receipt = await readReceipt(desk.db, eventId, room.roomNid);
      const { sha256 } = referenceOf(room.version, eventId, json);
      const event: ReceivedPdu = { eventId, pdu: JSON.parse(json) as Pdu, json, sha256 };
      const received = await placeEvent(desk, room, {
        event,
        receipt,
        receivedFrom,
        stateBefore: null,
        isFinal: true,
      });
      return isRefusal(received) ? received : undefined;
    },
  );
}

async function storeAgain(
  desk: RoomsDesk,
  roomId: string,
  { eventId, pdu, receivedFrom }: WaitingEvent,
): Promise<Refusal | undefined> {
  const stored = await storeOutliers(desk, { roomId, events: [{ eventId, pdu }], receivedFrom });
  return isRefusal(stored) ? stored : undefined;
}

/**
 * Looks again at the events that were rejected for want of others that have come now: those that nothing else is missing for, and those
 * that waited for these. Nothing of the room is under way. What storage refuses, and what is too much for one turn, waits for another one.
 */
export async function reconsiderWaiting(
  desk: RoomsDesk,
  roomId: string,
  eventIds: readonly string[],
): Promise<void> {
  let came = eventIds;
  let left = RECONSIDERED_PER_TURN_MAX;
  while (came.length > 0) {
    const next: string[] = [];
    for (const waiting of await readSettledWaiting(desk.db, came)) {
      if (left === 0) {
        desk.reconsiderLater(roomId, [...came, ...next]);
        return;
      }
      left -= 1;
      const again = waiting.stateGroup === null ? storeAgain : placeAgain;
      if ((await again(desk, roomId, waiting)) !== undefined) return;
      next.push(waiting.eventId);
    }
    came = next;
  }
}

/** A turn of a room for those that were too many for the turn in which what they wait for came. */
export async function reconsiderEvents(
  desk: RoomsDesk,
  { roomId, eventIds }: InputOf<RoomsProtocol, 'rooms.reconsider-events'>,
): Promise<void> {
  await desk.settled(roomId);
  await reconsiderWaiting(desk, roomId, eventIds);
}
