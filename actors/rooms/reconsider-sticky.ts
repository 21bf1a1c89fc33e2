import { readExtremities } from '../../db/rooms/head-reader.ts';
import { readReceipt } from '../../db/rooms/inbound-reader.ts';
import { type HiddenSticky, readHiddenSticky } from '../../db/rooms/sticky-reader.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import type { InputOf } from '../kit/protocol.ts';
import { assessEvent, type Incoming } from './assess-event.ts';
import { mergeExtremities } from './merge-extremities.ts';
import { placeEvent } from './place-event.ts';
import type { RoomsProtocol } from './protocol.ts';
import { type RoomsDesk, withRoom } from './rooms-desk.ts';
import { referenceOf } from './stored-pdu.ts';

/** Sticky events that are looked at again in one turn of a room; the others get theirs in another one. */
export const STICKY_RECONSIDERED_PER_TURN_MAX = 100;

/**
 * Looks again at one: it enters the timeline late, if it may. Nothing is written as long as it may not.
 *
 * @returns it has come into the timeline
 */
function placeIfAllowed(desk: RoomsDesk, roomId: string, hidden: HiddenSticky): Promise<boolean> {
  return withRoom<boolean>(
    desk,
    roomId,
    () => false,
    async (room) => {
      const { eventId, pdu: json, receivedFrom } = hidden;
      const { sha256 } = referenceOf(room.version, eventId, json);
      const incoming: Incoming = {
        event: { eventId, pdu: JSON.parse(json) as Pdu, json, sha256 },
        receipt: await readReceipt(desk.db, eventId, room.roomNid),
        receivedFrom,
        stateBefore: null,
        isFinal: true,
        policy: { kind: 'refused', reason: 'it is still not signed' },
      };
      const assessed = await assessEvent(desk, room, incoming, await readExtremities(desk.db, room.roomNid));
      if (assessed.kind !== 'assessed' || assessed.rejection !== null) return false;
      const placed = await placeEvent(desk, room, incoming);
      return !isRefusal(placed) && placed.kind === 'accepted';
    },
  );
}

/**
 * Looks again at the living sticky events of a room that were soft-failed: servers are to agree on which there are, whatever the state was when
 * they came. MSC4354, "Re-evaluate soft-failure".
 */
export async function reconsiderSticky(
  desk: RoomsDesk,
  { roomId, after }: InputOf<RoomsProtocol, 'rooms.reconsider-sticky'>,
): Promise<void> {
  await desk.settled(roomId);
  const limit = STICKY_RECONSIDERED_PER_TURN_MAX;
  const page = await readHiddenSticky(desk.db, { roomId, after, now: desk.clock.now(), limit });
  let placed = 0;
  for (const hidden of page) if (await placeIfAllowed(desk, roomId, hidden)) placed += 1;
  if (placed > 0) await mergeExtremities(desk, roomId);
  const last = page[limit - 1];
  if (last !== undefined) desk.reconsiderStickyLater(roomId, last.eventNid);
}
