import type { JsonObject } from '../../src/kit/json.ts';
import { buildEvent } from '../../src/matrix/events/build-event.ts';
import { PREV_EVENTS_MAX } from '../../src/matrix/events/pdu.ts';
import { type Errcode, isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { AUTHORISED_VIA, findMembership } from './change-membership.ts';
import type { RoomsProtocol } from './protocol.ts';
import { judgeRestrictedJoin, type RestrictedJoin } from './restricted-join.ts';
import type { Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { withoutKeys } from './without-keys.ts';

type MakeJoin = InputOf<RoomsProtocol, 'rooms.make-join'>;
type Template = OutputOf<RoomsProtocol, 'rooms.make-join'>;

const MEMBER = 'm.room.member';
/** A server that names no versions knows this one. Server-Server API v1.19, `GET /make_join`, parameter `ver`. */
const VERSIONS_WHEN_NONE = ['1'];
/** Above this no depth can be written in every room version. */
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;

/** Server-Server API v1.19, "Restricted rooms": whether another server could do better. */
const REFUSALS: Readonly<
  Record<Exclude<RestrictedJoin['kind'], 'not-restricted' | 'granted'>, readonly [Errcode, string]>
> = {
  unknown: ['M_UNABLE_TO_AUTHORISE_JOIN', 'this server is not in all rooms whose members may join'],
  'nobody-may-invite': ['M_UNABLE_TO_GRANT_JOIN', 'nobody of this server may let the user in'],
  'not-a-member': ['M_FORBIDDEN', 'the user is in none of the rooms whose members may join'],
};

/** The content of the join, with who lets the user in where that takes somebody. */
async function joinContent(desk: RoomsDesk, room: Room, userId: string): Promise<JsonObject | Refusal> {
  const content = { membership: 'join' };
  const current = await findMembership(room, userId);
  if (current === 'ban') return refuse('M_FORBIDDEN', `${userId} is banned from the room`);
  if (current === 'join' || current === 'invite') return content;
  const join = await judgeRestrictedJoin(desk, room, userId);
  if (join.kind === 'not-restricted') return content;
  if (join.kind === 'granted') return { ...content, [AUTHORISED_VIA]: join.via };
  const [errcode, error] = REFUSALS[join.kind];
  return refuse(errcode, error);
}

/** The event without what its own server adds: the hash, the signature and, where the room version has one, the id. */
async function buildTemplate(desk: RoomsDesk, room: Room, userId: string): Promise<JsonObject | Refusal> {
  const { version, roomId } = room;
  const content = await joinContent(desk, room, userId);
  if (isRefusal(content)) return content;
  const keys = authEventKeys(version, { type: MEMBER, sender: userId, state_key: userId, content });
  await room.state.load([{ type: 'm.room.create', stateKey: '' }, ...keys]);
  const built = buildEvent(
    {
      version,
      roomId,
      sender: userId,
      type: MEMBER,
      stateKey: userId,
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
  if (!decision.allowed) return refuse('M_FORBIDDEN', decision.reason);
  return withoutKeys(built.pdu, 'hashes', 'signatures', 'event_id');
}

/**
 * Makes the template of a join of another server's user. It is stored nowhere.
 * Server-Server API v1.19, `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`.
 */
export async function makeJoin(desk: RoomsDesk, input: MakeJoin): Promise<Template> {
  const { roomId, userId } = input;
  // The template names stored events only: nobody could fetch what waits for its commit and then is not stored.
  await desk.settled(roomId);
  const room = await desk.rooms.find(roomId);
  if (room === undefined) return refuse('M_NOT_FOUND', `this server is in no room ${roomId}`);
  const roomVersion = room.version.id;
  const versions = input.versions.length === 0 ? VERSIONS_WHEN_NONE : input.versions;
  if (!versions.includes(roomVersion)) {
    const extra = { room_version: roomVersion };
    return refuse('M_INCOMPATIBLE_ROOM_VERSION', `the room is of version ${roomVersion}`, { extra });
  }
  room.holds += 1;
  try {
    const event = await buildTemplate(desk, room, userId);
    return isRefusal(event) ? event : { kind: 'template', roomVersion, event };
  } finally {
    room.holds -= 1;
  }
}
