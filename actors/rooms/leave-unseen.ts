import { findEvent } from '../../db/rooms/event-reader.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { buildMember } from './build-member.ts';
import { findPending } from './leave-out-of-band.ts';
import type { Sent } from './protocol.ts';
import { receiveOwn } from './receive-event.ts';
import { draftOf } from './room-draft.ts';
import type { Room } from './room-memory.ts';
import { eventSizeBytes } from './room-state.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { parseStoredPdu, referenceOf } from './stored-pdu.ts';

/**
 * Rejects a local user's invite to a room, or takes a knock back, in whose state that is missing since it lacks members: this server has the invite
 * itself, which authorises the leave and stands in the state from there on.
 *
 * @returns undefined when the user has neither; refused with M_FORBIDDEN
 */
export async function leaveUnseen(
  desk: RoomsDesk,
  room: Room,
  { target, content }: { readonly target: string; readonly content: JsonObject },
): Promise<Sent | Refusal | undefined> {
  const { roomId, version } = room;
  const standing = await findPending(desk, roomId, target);
  const stored = standing && (await findEvent(desk.db, standing.eventId));
  if (stored === undefined) return undefined;
  await desk.settled(roomId);
  const draft = draftOf(room);
  draft.state.set('m.room.member', target, {
    ...referenceOf(version, stored.eventId, stored.pdu),
    pdu: parseStoredPdu(version, stored),
    place: stored.eventNid,
    sizeBytes: eventSizeBytes(stored.pdu),
  });
  const built = await buildMember(desk, draft, { sender: target, target, content });
  if (isRefusal(built)) return built;
  const { eventId, json: pdu } = built;
  const received = await receiveOwn(desk, roomId, { eventId, pdu }, null);
  if (isRefusal(received)) return received;
  return received.kind === 'accepted'
    ? { kind: 'sent', eventId, position: received.position }
    : refuse('M_FORBIDDEN', `${target} has nothing to leave`);
}
