import type { JsonObject } from '../../src/kit/json.ts';
import { type Errcode, isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { InputOf } from '../kit/protocol.ts';
import { buildTemplate, withSettledRoom } from './build-member.ts';
import { AUTHORISED_VIA, findMembership } from './change-membership.ts';
import type { MemberTemplate, RoomsProtocol } from './protocol.ts';
import { judgeRestrictedJoin, type RestrictedJoin } from './restricted-join.ts';
import type { Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';

type MakeJoin = InputOf<RoomsProtocol, 'rooms.make-join'>;
type MakeKnock = InputOf<RoomsProtocol, 'rooms.make-knock'>;
type MakeLeave = InputOf<RoomsProtocol, 'rooms.make-leave'>;

/** A server that names no versions knows this one. Server-Server API v1.19, `GET /make_join`, parameter `ver`. */
const VERSIONS_WHEN_NONE = ['1'];

/** Server-Server API v1.19, "Restricted rooms": whether another server could do better. */
const REFUSALS: Readonly<
  Record<Exclude<RestrictedJoin['kind'], 'not-restricted' | 'granted'>, readonly [Errcode, string]>
> = {
  unknown: ['M_UNABLE_TO_AUTHORISE_JOIN', 'this server is not in all rooms whose members may join'],
  'nobody-may-invite': ['M_UNABLE_TO_GRANT_JOIN', 'nobody of this server may let the user in'],
  'not-a-member': ['M_FORBIDDEN', 'the user is in none of the rooms whose members may join'],
};

/** Why this server does not let a user into a restricted room. */
export function restrictedRefusal(
  join: Exclude<RestrictedJoin, { readonly kind: 'not-restricted' | 'granted' }>,
): Refusal {
  const [errcode, error] = REFUSALS[join.kind];
  return refuse(errcode, error);
}

/** The content of the join, with who lets the user in where that takes somebody. */
async function joinContent(desk: RoomsDesk, room: Room, userId: string): Promise<JsonObject | Refusal> {
  const content = { membership: 'join' };
  const current = await findMembership(room, userId);
  if (current === 'ban') return refuse('M_FORBIDDEN', `${userId} is banned from the room`);
  if (current === 'join' || current === 'invite') return content;
  const join = await judgeRestrictedJoin(desk, room, userId);
  if (join.kind === 'not-restricted') return content;
  return join.kind === 'granted' ? { ...content, [AUTHORISED_VIA]: join.via } : restrictedRefusal(join);
}

function refuseVersion({ version }: Room, asked: readonly string[]): Refusal | undefined {
  const versions = asked.length === 0 ? VERSIONS_WHEN_NONE : asked;
  if (versions.includes(version.id)) return undefined;
  const extra = { room_version: version.id };
  return refuse('M_INCOMPATIBLE_ROOM_VERSION', `the room is of version ${version.id}`, { extra });
}

/**
 * Makes the template of a join of another server's user. It is stored nowhere.
 * Server-Server API v1.19, `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`.
 */
export function makeJoin(desk: RoomsDesk, input: MakeJoin): Promise<MemberTemplate | Refusal> {
  const { roomId, userId, versions } = input;
  return withSettledRoom(desk, roomId, async (room) => {
    const wrong = refuseVersion(room, versions);
    if (wrong !== undefined) return wrong;
    const content = await joinContent(desk, room, userId);
    return isRefusal(content) ? content : buildTemplate(desk, room, userId, content);
  });
}

/**
 * Makes the template of a knock. Whether the user may knock is the rules' to say.
 * Server-Server API v1.19, `GET /_matrix/federation/v1/make_knock/{roomId}/{userId}`.
 */
export function makeKnock(desk: RoomsDesk, input: MakeKnock): Promise<MemberTemplate | Refusal> {
  const { roomId, userId, versions } = input;
  return withSettledRoom(
    desk,
    roomId,
    async (room) =>
      refuseVersion(room, versions) ?? buildTemplate(desk, room, userId, { membership: 'knock' }),
  );
}

/**
 * Makes the template of a leave: out of the room, of an invite or of a knock.
 * Server-Server API v1.19, `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`.
 */
export function makeLeave(desk: RoomsDesk, input: MakeLeave): Promise<MemberTemplate | Refusal> {
  const { roomId, userId } = input;
  return withSettledRoom(desk, roomId, async (room) =>
    buildTemplate(desk, room, userId, { membership: 'leave' }),
  );
}
