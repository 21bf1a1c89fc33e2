import { findEvent, type StoredEvent } from '../../db/rooms/event-reader.ts';
import { findLocalMembership, type LocalMembership } from '../../db/rooms/membership-reader.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import { type BuiltEvent, buildEvent } from '../../src/matrix/events/build-event.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { InputOf } from '../kit/protocol.ts';
import { commitOutOfBand } from './commit-out-of-band.ts';
import { parseForeignEvent } from './foreign-event.ts';
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
  const standing = await findPending(desk, roomId, sender);
  if (standing === undefined) return nothingToLeave(sender);
  const room = await findRoom(desk.db, roomId);
  const stored = await findEvent(desk.db, standing.eventId);
  if (room === undefined || stored === undefined)
    throw new Error(`a membership of ${roomId} without its event`);
  const built = buildLeave(desk, stored, leave);
  if (isRefusal(built)) return built;
  const { eventId, json, pdu } = built;
  return storeLeave(desk, room.roomNid, pdu, { eventId, pdu: json, roomId, userId: sender });
}

/** Stores the leave of a local user, ours. */
function storeLeave(
  desk: RoomsDesk,
  roomNid: number,
  { depth, origin_server_ts: originServerTs }: Pdu,
  leave: {
    readonly roomId: string;
    readonly userId: string;
    readonly eventId: string;
    /** JSON. */
    readonly pdu: string;
  },
): Promise<Sent | Refusal> {
  const { roomId, userId, eventId, pdu } = leave;
  const member = { roomNid, userId, membership: 'leave', sender: userId, receivedFrom: null };
  return commitOutOfBand(desk, roomId, { ...member, eventId, depth, originServerTs, pdu });
}

/** The invite or the knock of a local user in a room that this server is not in; undefined where there is none. */
export async function findPending(
  desk: Pick<RoomsDesk, 'db'>,
  roomId: string,
  userId: string,
): Promise<LocalMembership | undefined> {
  const standing = await findLocalMembership(desk.db, userId, roomId);
  return standing?.membership === 'invite' || standing?.membership === 'knock' ? standing : undefined;
}

/**
 * Takes in the leave with which a local user has rejected an invite, or has taken back a knock, and that a server in the room has accepted.
 * Server-Server API v1.19, "Leaving Rooms (Rejecting Invites)".
 *
 * @returns refused with M_FORBIDDEN when there is nothing to leave, M_BAD_JSON when it is no leave of a local user
 */
export async function acceptLeave(
  desk: RoomsDesk,
  { roomId, event }: InputOf<RoomsProtocol, 'rooms.accept-leave'>,
): Promise<Sent | Refusal> {
  const room = await findRoom(desk.db, roomId);
  if (room === undefined) return refuse('M_FORBIDDEN', `nothing is known of ${roomId}`);
  const pdu = parseForeignEvent(getRoomVersion(room.roomVersion), roomId, event.pdu);
  if (isRefusal(pdu)) return pdu;
  const { type, sender, state_key: userId, content } = pdu;
  const isLeave = type === 'm.room.member' && userId === sender && content['membership'] === 'leave';
  if (!isLeave || !isOfServer(sender, desk.serverName))
    return refuse('M_BAD_JSON', 'the event is no leave of a user of this server');
  // Who is in the room by now has left nothing.
  const isInside = (await desk.rooms.find(roomId)) !== undefined;
  if (isInside || (await findPending(desk, roomId, sender)) === undefined) return nothingToLeave(sender);
  const { eventId, pdu: json } = event;
  return storeLeave(desk, room.roomNid, pdu, { eventId, pdu: json, roomId, userId: sender });
}
