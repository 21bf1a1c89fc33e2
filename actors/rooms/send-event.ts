import type { JsonObject } from '../../src/kit/json.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';
import { refuse } from '../../src/matrix/refusal.ts';
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
  sendProposal,
  transactionKey,
  type Turn,
  withRoom,
} from './rooms-desk.ts';
import type { Proposal } from './stage-event.ts';

type SendEvent = InputOf<RoomsProtocol, 'rooms.send-event'>;
type MembershipAction = InputOf<RoomsProtocol, 'rooms.change-membership'>['action'];

/** Sends one event. Client-Server API v1.19, `PUT /rooms/{roomId}/send/…` and `…/state/…`. */
export async function sendEvent(desk: RoomsDesk, input: SendEvent): Promise<Turn> {
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

/** A redaction through send names its target in its content, in every room version (v1.18). */
async function sendRedaction(desk: RoomsDesk, input: SendEvent): Promise<Turn> {
  const { roomId, sender, event, transaction } = input;
  const { redacts: eventId, ...content } = event.content;
  if (typeof eventId !== 'string') return refuse('M_BAD_JSON', 'content.redacts must be an event id');
  return redactEvent(desk, { roomId, sender, eventId, content, transaction });
}

/** A member event that comes as plain state is held to the same rules as one that comes as an action. */
async function sendMember(desk: RoomsDesk, input: SendEvent, target: string): Promise<Turn> {
  const { roomId, sender, event } = input;
  return withRoom(desk, roomId, notInRoom, async (room) => {
    const action = await actionOf(room, sender, target, event.content);
    if (action === undefined) return refuse('M_BAD_JSON', 'content.membership is not a membership');
    return changeMembership(desk, { roomId, sender, target, action, content: event.content });
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
