import type { JsonObject } from '../../src/kit/json.ts';
import { type BuiltEvent, buildEvent } from '../../src/matrix/events/build-event.ts';
import { PREV_EVENTS_MAX } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import type { MemberTemplate } from './protocol.ts';
import type { Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { withoutKeys } from './without-keys.ts';

const MEMBER = 'm.room.member';
/** Above this no depth can be written in every room version. */
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;

/** A change of a membership that involves another server. */
export interface MemberChange {
  readonly sender: string;
  readonly target: string;
  /** With `membership`. */
  readonly content: JsonObject;
}

/**
 * Runs a turn of a room whose staged events are all stored: what is made names stored events only, for nobody could fetch what waits for its
 * commit and then is not stored.
 *
 * @returns refused with M_NOT_FOUND when this server is not in the room
 */
export async function withSettledRoom<Answer>(
  desk: RoomsDesk,
  roomId: string,
  turn: (room: Room) => Promise<Answer>,
): Promise<Answer | Refusal> {
  await desk.settled(roomId);
  const room = await desk.rooms.find(roomId);
  if (room === undefined) return refuse('M_NOT_FOUND', `this server is in no room ${roomId}`);
  room.holds += 1;
  try {
    return await turn(room);
  } finally {
    room.holds -= 1;
    desk.rooms.trim();
  }
}

/**
 * Makes a member event that follows the newest events and is allowed at the current state. It is stored nowhere.
 *
 * @returns refused with M_FORBIDDEN, M_BAD_JSON, M_TOO_LARGE
 */
export async function buildMember(
  desk: RoomsDesk,
  room: Room,
  { sender, target, content }: MemberChange,
): Promise<BuiltEvent | Refusal> {
  const { version, roomId } = room;
  const keys = authEventKeys(version, { type: MEMBER, sender, state_key: target, content });
  await room.state.load([{ type: 'm.room.create', stateKey: '' }, ...keys]);
  const built = buildEvent(
    {
      version,
      roomId,
      sender,
      type: MEMBER,
      stateKey: target,
      content,
      prevEvents: room.extremities.slice(0, PREV_EVENTS_MAX),
      authEvents: keys
        .map((key) => room.state.findEvent(key.type, key.stateKey))
        .filter((event) => event !== undefined),
      depth: Math.min(room.depth + 1, DEPTH_MAX),
      originServerTs: desk.clock.now(),
      ...(version.eventIdFormat === 'server-chosen' && { eventIdLocalpart: desk.stage.newEventLocalpart() }),
    },
    desk.stage.signer,
  );
  if (isRefusal(built)) return built;
  const decision = authorise(version, { roomId, pdu: built.pdu }, room.state);
  return decision.allowed ? built : refuse('M_FORBIDDEN', decision.reason);
}

/** Makes the template of a change that a user of another server makes of the own membership. Refused as {@link buildMember}. */
export async function buildTemplate(
  desk: RoomsDesk,
  room: Room,
  userId: string,
  content: JsonObject,
): Promise<MemberTemplate | Refusal> {
  const built = await buildMember(desk, room, { sender: userId, target: userId, content });
  if (isRefusal(built)) return built;
  const event = withoutKeys(built.pdu, 'hashes', 'signatures', 'event_id');
  return { kind: 'template', roomVersion: room.version.id, event };
}
