import type { JsonObject } from '../../src/kit/json.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { ownerOfStateKey } from '../../src/matrix/rooms/owned-state.ts';
import { isPolicyState } from '../../src/matrix/rooms/policy-server.ts';
import type { InputOf } from '../kit/protocol.ts';
import { annotationName, checkRelation } from './check-relation.ts';
import { changeMembership, findMembership } from './change-membership.ts';
import type { RoomsProtocol } from './protocol.ts';
import { redactEvent } from './redact-event.ts';
import type { Room } from './room-memory.ts';
import {
  loadFor,
  notInRoom,
  repeatTransaction,
  type RoomsDesk,
  transactionKey,
  type Turn,
  withRoom,
} from './rooms-desk.ts';
import { sendProposal } from './send-proposal.ts';
import type { Proposal } from './stage-event.ts';

type SendEvent = InputOf<RoomsProtocol, 'rooms.send-event'>;
type MembershipAction = InputOf<RoomsProtocol, 'rooms.change-membership'>['action'];

/** Sends one event. Client-Server API v1.19, `PUT /rooms/{roomId}/send/…` and `…/state/…`. */
async function sendEvent(desk: RoomsDesk, input: SendEvent): Promise<Turn> {
  const { roomId, sender, event } = input;
  if (event.type === 'm.room.redaction' && event.stateKey === undefined) return sendRedaction(desk, input);
  if (event.type === 'm.room.member' && event.stateKey !== undefined)
    return sendMember(desk, input, event.stateKey);
  const transaction = transactionKey(sender, input.transaction);
  const repeated = await repeatTransaction(desk, transaction);
  if (repeated !== undefined) return repeated;
  return withRoom(desk, roomId, notInRoom, async (room) => {
    const originServerTs = input.originServerTs ?? desk.clock.now();
    const proposal: Proposal = { sender, ...event, originServerTs };
    const malformed = checkOwnedStateKey(room, event.stateKey);
    if (malformed !== undefined) return malformed;
    await loadFor(room, proposal);
    const relation = relationOf(event.content);
    if (relation === null) return sendProposal(desk, room, proposal, { transaction });
    const refusal = await checkRelation(desk, room, proposal, relation);
    if (refusal !== undefined) return refusal;
    const annotation = relation.relType === 'm.annotation' && {
      annotation: annotationName(proposal, relation),
    };
    return sendProposal(desk, room, proposal, { transaction, ...annotation });
  });
}

/** The same, after what of ours is under way in the room; what takes its policy server out of use does not wait for that server. */
export function sendInOrder(desk: RoomsDesk, input: SendEvent): Promise<Turn> {
  const { roomId, event } = input;
  if (isPolicyState(event.type, event.stateKey)) return sendEvent(desk, input);
  return desk.own.follow(roomId, () => sendEvent(desk, input));
}

/** A state key that could be nobody's is no matter of who may send it. MSC3757. */
function checkOwnedStateKey(room: Room, stateKey: string | undefined): Refusal | undefined {
  if (!room.version.ownedState || stateKey === undefined) return undefined;
  const owner = ownerOfStateKey(stateKey);
  if (owner === 'malformed')
    return refuse('M_BAD_JSON', 'the state key begins with @, and not with the id of a user before a _');
  return owner === 'too-long' ? refuse('M_TOO_LARGE', 'the state key is too long') : undefined;
}

/** A redaction through send names its target in its content, in every room version (v1.18). */
async function sendRedaction(desk: RoomsDesk, input: SendEvent): Promise<Turn> {
  const { roomId, sender, event, transaction } = input;
  const { stickyDurationMs } = event;
  const sticky = stickyDurationMs !== undefined && { stickyDurationMs };
  const { redacts: eventId, ...content } = event.content;
  if (typeof eventId !== 'string') return refuse('M_BAD_JSON', 'content.redacts must be an event id');
  return redactEvent(desk, { roomId, sender, eventId, content, transaction, ...sticky });
}

/** A member event that comes as plain state is held to the same rules as one that comes as an action. */
async function sendMember(desk: RoomsDesk, input: SendEvent, target: string): Promise<Turn> {
  const { roomId, sender, event } = input;
  const transaction = transactionKey(sender, input.transaction);
  const repeated = await repeatTransaction(desk, transaction);
  if (repeated !== undefined) return repeated;
  return withRoom(desk, roomId, notInRoom, async (room) => {
    const action = await actionOf(room, sender, target, event.content);
    if (action === undefined) return refuse('M_BAD_JSON', 'content.membership is not a membership');
    const change = { roomId, sender, target, action, content: event.content };
    return changeMembership(desk, change, transaction);
  });
}

async function actionOf(
  room: Room,
  sender: string,
  target: string,
  content: JsonObject,
): Promise<MembershipAction | undefined> {
  const { membership } = content;
  if (membership === 'join' || membership === 'invite' || membership === 'ban' || membership === 'knock')
    return membership;
  if (membership !== 'leave') return undefined;
  if (sender === target) return 'leave';
  return (await findMembership(room, target)) === 'ban' ? 'unban' : 'kick';
}
