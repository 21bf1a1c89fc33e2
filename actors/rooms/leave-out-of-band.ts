import { findEvent, type StoredEvent } from '../../db/rooms/event-reader.ts';
import { findLocalMembership } from '../../db/rooms/membership-reader.ts';
import { storeOutOfBandMember } from '../../db/rooms/out-of-band-writer.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { type BuiltEvent, buildEvent } from '../../src/matrix/events/build-event.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { RoomsProtocol, Sent } from './protocol.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { referenceOf } from './stored-pdu.ts';
import { withoutKeys } from './without-keys.ts';

type Leave = Pick<InputOf<RoomsProtocol, 'rooms.change-membership'>, 'roomId' | 'sender' | 'content'>;

/** Above this no depth can be written in every room version. */
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;

function nothingToLeave(userId: string): Refusal {
  return refuse('M_FORBIDDEN', `${userId} has nothing to leave`);
}

/** The event follows the invite or the knock that it ends, and is authorised by it alone: nothing else of the room is known. */
function buildLeave(
  desk: RoomsDesk,
  stored: StoredEvent,
  { roomId, sender, content }: Leave,
): BuiltEvent | Refusal {
  const version = getRoomVersion(stored.roomVersion);
  const ended = referenceOf(version, stored.eventId, stored.pdu);
  return buildEvent(
    {
      version,
      roomId,
      sender,
      type: 'm.room.member',
      stateKey: sender,
      content: { ...withoutKeys(content, 'join_authorised_via_users_server'), membership: 'leave' },
      prevEvents: [ended],
      authEvents: [ended],
      depth: Math.min(stored.depth + 1, DEPTH_MAX),
      originServerTs: desk.clock.now(),
      ...(version.eventIdFormat === 'server-chosen' && { eventIdLocalpart: desk.stage.newEventLocalpart() }),
    },
    desk.stage.signer,
  );
}

/**
 * Rejects an invite to, or takes back a knock on, a room that this server is not in and whose servers nobody can ask: with a leave of our
 * own that no other server will ever see, so that the client is told and the membership stays known.
 *
 * @returns refused with M_FORBIDDEN when the user was neither invited nor knocks
 */
export async function leaveOutOfBand(desk: RoomsDesk, leave: Leave): Promise<Sent | Refusal> {
  const { roomId, sender } = leave;
  const standing = await findLocalMembership(desk.db, sender, roomId);
  const isPending = standing?.membership === 'invite' || standing?.membership === 'knock';
  if (standing === undefined || !isPending) return nothingToLeave(sender);
  const room = await findRoom(desk.db, roomId);
  const stored = await findEvent(desk.db, standing.eventId);
  if (room === undefined || stored === undefined)
    throw new Error(`a membership of ${roomId} without its event`);
  const built = buildLeave(desk, stored, leave);
  if (isRefusal(built)) return built;
  const { eventId, json, pdu } = built;
  const event = { eventId, depth: pdu.depth, originServerTs: pdu.origin_server_ts, pdu: json };
  const member = { roomNid: room.roomNid, userId: sender, membership: 'leave', sender, receivedFrom: null };
  const row: EventsRow = {
    kind: 'state',
    roomId,
    type: 'm.room.member',
    stateKey: sender,
    eventId,
    membership: 'leave',
  };
  const steps = storeOutOfBandMember({ ...member, ...event }, 0);
  const position = await desk.commit({ roomId, rows: [row], steps, isOurs: false });
  return isRefusal(position) ? position : { kind: 'sent', eventId, position };
}
