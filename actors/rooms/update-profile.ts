import { readJoinedRoomIds } from '../../db/rooms/hosts-reader.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import { type ActorRef, AskFailed } from '../kit/ref.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { AUTHORISED_VIA } from './change-membership.ts';
import type { RoomsProtocol, Sent } from './protocol.ts';
import { withoutKeys } from './without-keys.ts';
import { loadFor, notInRoom, type RoomsDesk, type Turn, withRoom } from './rooms-desk.ts';
import { sendProposal } from './send-proposal.ts';

type UpdateProfile = InputOf<RoomsProtocol, 'rooms.update-profile'>;
type UpdateMemberProfile = InputOf<RoomsProtocol, 'rooms.update-member-profile'>;

/** Rooms that are written at the same time for one user. */
export const ROOMS_AT_ONCE_MAX = 64;

function withProfile(content: JsonObject, input: UpdateMemberProfile): JsonObject {
  return {
    ...withoutKeys(content, 'displayname', 'avatar_url', AUTHORISED_VIA),
    ...(input.displayname !== null && { displayname: input.displayname }),
    ...(input.avatarUrl !== null && { avatar_url: input.avatarUrl }),
  };
}

/** Writes a user's new profile into one room, if the user is in it still. */
export function updateMemberProfile(desk: RoomsDesk, input: UpdateMemberProfile): Promise<Turn> {
  const { roomId, userId } = input;
  return withRoom(desk, roomId, notInRoom, async (room) => {
    const key = { type: 'm.room.member', stateKey: userId };
    await room.state.load([key]);
    const current = room.state.find(key.type, key.stateKey);
    if (current?.content['membership'] !== 'join') return notInRoom();
    const content = withProfile(current.content, input);
    const proposal = { sender: userId, ...key, content, originServerTs: desk.clock.now() };
    await loadFor(room, proposal);
    return sendProposal(desk, room, proposal);
  });
}

/** One room's answer; undefined when the actor has too much to do. */
async function askForRoom(
  self: ActorRef<RoomsProtocol>,
  input: UpdateMemberProfile,
): Promise<Sent | Refusal | undefined> {
  try {
    return await self.ask('rooms.update-member-profile', input);
  } catch (error) {
    if (error instanceof AskFailed) return undefined;
    throw error;
  }
}

/**
 * Writes a user's new profile into the member events of all rooms that the user has joined, each in that room's turn. A room that
 * does not take it (its rules forbid it, the user has just left, storage is full) does not keep the others from it.
 *
 * @param self the rooms actor's own address
 * @param position of the events stream, for when nothing was written
 */
export async function updateProfile(
  desk: RoomsDesk,
  self: ActorRef<RoomsProtocol>,
  input: UpdateProfile,
  position: () => number,
): Promise<OutputOf<RoomsProtocol, 'rooms.update-profile'>> {
  const roomIds = await readJoinedRoomIds(desk.db, input.userId);
  let rooms = 0;
  let last = position();
  for (let index = 0; index < roomIds.length; index += ROOMS_AT_ONCE_MAX) {
    const answers = roomIds
      .slice(index, index + ROOMS_AT_ONCE_MAX)
      .map((roomId) => askForRoom(self, { ...input, roomId }));
    for (const answer of await Promise.all(answers)) {
      if (answer === undefined || answer.kind === 'refused') continue;
      rooms += 1;
      last = Math.max(last, answer.position);
    }
  }
  return { kind: 'updated', rooms, position: last };
}
