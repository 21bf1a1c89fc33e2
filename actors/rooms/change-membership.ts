import type { TransactionKey } from '../../db/rooms/transaction-reader.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { Later } from '../kit/actor.ts';
import type { InputOf } from '../kit/protocol.ts';
import { refuseInvite } from './refuse-invite.ts';
import { leaveOutOfBand } from './leave-out-of-band.ts';
import { findDeparture } from './leave-room.ts';
import { leaveUnseen } from './leave-unseen.ts';
import type { RoomsProtocol } from './protocol.ts';
import { redactAfterRemoval } from './redact-many.ts';
import { authoriseRestrictedJoin } from './restricted-join.ts';
import type { Room } from './room-memory.ts';
import { loadFor, notInRoom, type RoomsDesk, type Turn, withRoom } from './rooms-desk.ts';
import { sendProposal } from './send-proposal.ts';
import type { Proposal } from './stage-event.ts';
import { withoutKeys } from './without-keys.ts';

type ChangeMembership = InputOf<RoomsProtocol, 'rooms.change-membership'>;
type Action = ChangeMembership['action'];

const MEMBERSHIP_BY_ACTION: Readonly<Record<Action, string>> = {
  join: 'join',
  invite: 'invite',
  leave: 'leave',
  kick: 'leave',
  ban: 'ban',
  unban: 'leave',
  knock: 'knock',
};

/** Says that a user lets others into a restricted room: only this server may write it, for it vouches for it. */
export const AUTHORISED_VIA = 'join_authorised_via_users_server';

/** A user's membership by current state; undefined for who never had one. */
export async function findMembership(room: Room, userId: string): Promise<string | undefined> {
  const key = { type: 'm.room.member', stateKey: userId };
  await room.state.load([key]);
  const membership = room.state.find(key.type, key.stateKey)?.content['membership'];
  return typeof membership === 'string' ? membership : undefined;
}

/** What the authorisation rules allow and the action does not mean. */
function checkAction(
  action: Action,
  room: Room,
  target: string,
  current: string | undefined,
): Refusal | undefined {
  // It is not known: the rules decide, and again when the whole state has come.
  if (current === undefined && room.isPartial) return undefined;
  const isPresent = current === 'join' || current === 'invite' || current === 'knock';
  if (action === 'kick' && !isPresent) return refuse('M_FORBIDDEN', `${target} is not in the room`);
  if (action === 'unban' && current !== 'ban') return refuse('M_FORBIDDEN', `${target} is not banned`);
  if (action === 'invite' && current === 'join')
    return refuse('M_FORBIDDEN', `${target} is in the room already`);
  return undefined;
}

function checkParties({ action, sender, target }: ChangeMembership): Refusal | undefined {
  const isForOneself = action === 'join' || action === 'leave' || action === 'knock';
  if (isForOneself && sender !== target) return refuse('M_FORBIDDEN', `a ${action} is for oneself only`);
  return undefined;
}

/** Whether the user may come in, or has come in already, a state that lacks members does not say: another server has to. */
function isUndecided({ isPartial }: Room, action: Action, current: string | undefined): boolean {
  return isPartial && current === undefined && (action === 'join' || action === 'knock');
}

function notAbleHere(roomId: string): Refusal {
  return refuse('M_NOT_FOUND', `this server is in no room ${roomId}, or does not know who else is`);
}

/** In a room that this server is not in, an invite may be rejected and a knock taken back; the rest takes a server that is in it. */
function outsideOfRoom(desk: RoomsDesk, input: ChangeMembership): Refusal | Promise<Turn> {
  const { action, roomId } = input;
  if (action === 'leave') return leaveOutOfBand(desk, input);
  return action === 'join' || action === 'knock' ? notAbleHere(roomId) : notInRoom();
}

/**
 * Changes a membership: join, invite, leave (an invite or a knock is taken back with it, too), kick, ban, unban, knock. Who wants no invites
 * gets none, also where they knock. Client-Server API v1.19, "Room membership", "Invite permission".
 *
 * @param transaction is stored with the event; the caller has looked whether it is new
 */
export function changeMembership(
  desk: RoomsDesk,
  input: ChangeMembership,
  transaction: TransactionKey | null = null,
): Promise<Turn> {
  const wrongParties = checkParties(input);
  if (wrongParties !== undefined) return Promise.resolve(wrongParties);
  return withRoom(
    desk,
    input.roomId,
    () => outsideOfRoom(desk, input),
    async (room) => {
      const { action, sender, target } = input;
      const current = await findMembership(room, target);
      if (isUndecided(room, action, current)) return notAbleHere(input.roomId);
      const refusal = checkAction(action, room, target, current);
      if (refusal !== undefined) return refusal;
      const blocked = action === 'invite' ? await refuseInvite(desk, sender, target) : undefined;
      if (blocked !== undefined) return blocked;
      const content = await memberContent(desk, room, input, current);
      if (isRefusal(content)) return content;
      const isUnseen = room.isPartial && current === undefined && action === 'leave';
      const left = isUnseen ? await leaveUnseen(desk, room, { target, content }) : undefined;
      if (left !== undefined) return left;
      const originServerTs = desk.clock.now();
      const type = 'm.room.member';
      const proposal = { sender, type, stateKey: target, content, originServerTs };
      await loadFor(room, proposal);
      const turn = await sendMembership(desk, room, proposal, { current, transaction });
      redactAfterRemoval(desk, input, turn);
      return turn;
    },
  );
}

/** The end of a local user's stay may be the end of this server's. */
async function sendMembership(
  desk: RoomsDesk,
  room: Room,
  proposal: Proposal & { readonly stateKey: string },
  {
    current,
    transaction,
  }: { readonly current: string | undefined; readonly transaction: TransactionKey | null },
): Promise<Turn> {
  const { stateKey: target, content } = proposal;
  const endsStay = current === 'join' && content['membership'] !== 'join';
  if (!endsStay || !isOfServer(target, desk.serverName))
    return sendProposal(desk, room, proposal, { transaction });
  const departure = await findDeparture(desk, room.roomId, [target]);
  const turn = await sendProposal(desk, room, proposal, { departure, transaction });
  // The next turn of the room has to find that this server is not in it.
  return departure !== null && turn instanceof Later ? turn.answer : turn;
}

async function memberContent(
  desk: RoomsDesk,
  room: Room,
  input: ChangeMembership,
  current: string | undefined,
): Promise<JsonObject | Refusal> {
  const given = withoutKeys(input.content, AUTHORISED_VIA);
  const content = { ...given, membership: MEMBERSHIP_BY_ACTION[input.action] };
  // Who is in, or was invited, needs nobody to vouch.
  if (input.action !== 'join' || current === 'join' || current === 'invite') return content;
  const authorisedVia = await authoriseRestrictedJoin(desk, room, input.target);
  if (isRefusal(authorisedVia)) return authorisedVia;
  return authorisedVia === undefined ? content : { ...content, [AUTHORISED_VIA]: authorisedVia };
}
