import type { JsonObject } from '../../src/kit/json.ts';
import { STRIPPED_STATE_TYPES } from '../../src/matrix/events/stripped-state.ts';
import { isRefusal, refuse } from '../../src/matrix/refusal.ts';
import type { StateKey } from '../../src/matrix/rooms/auth-decision.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { buildMember, withSettledRoom } from './build-member.ts';
import { AUTHORISED_VIA, findMembership } from './change-membership.ts';
import type { RoomsProtocol } from './protocol.ts';
import type { Room } from './room-memory.ts';
import { findPolicyServer } from './room-policy.ts';
import { notInRoom, type RoomsDesk } from './rooms-desk.ts';
import { withoutKeys } from './without-keys.ts';

type MakeInvite = InputOf<RoomsProtocol, 'rooms.make-invite'>;
type Invite = OutputOf<RoomsProtocol, 'rooms.make-invite'>;

/**
 * What tells an invited or knocking user what the room is, as whole events: what names the room, and who sends the invite.
 * Server-Server API v1.19, `invite_room_state`.
 */
async function readRoomState(room: Room, sender: string): Promise<readonly JsonObject[]> {
  const places: StateKey[] = STRIPPED_STATE_TYPES.map((type) => ({ type, stateKey: '' }));
  places.push({ type: 'm.room.member', stateKey: sender });
  await room.state.load(places);
  return places
    .map(({ type, stateKey }) => room.state.find(type, stateKey))
    .filter((pdu) => pdu !== undefined);
}

/**
 * Makes the invite of another server's user, which is stored when that server has signed it, too.
 *
 * @returns refused with M_FORBIDDEN (also when this server is not in the room), M_BAD_JSON, M_TOO_LARGE
 */
export async function makeInvite(desk: RoomsDesk, input: MakeInvite): Promise<Invite> {
  const { roomId, sender, target } = input;
  const made = await withSettledRoom(desk, roomId, async (room): Promise<Invite> => {
    if ((await findMembership(room, target)) === 'join')
      return refuse('M_FORBIDDEN', `${target} is in the room already`);
    const content = { ...withoutKeys(input.content, AUTHORISED_VIA), membership: 'invite' };
    const built = await buildMember(desk, room, { sender, target, content });
    if (isRefusal(built)) return built;
    const roomState = await readRoomState(room, sender);
    const { eventId, pdu: event } = built;
    const policyServer = await findPolicyServer(desk.policy, room);
    return { kind: 'invite', roomVersion: room.version.id, eventId, event, roomState, policyServer };
  });
  return isRefusal(made) && made.errcode === 'M_NOT_FOUND' ? notInRoom() : made;
}
