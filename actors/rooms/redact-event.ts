import { findEvent, type StoredEvent } from '../../db/rooms/event-reader.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { redact } from '../../src/matrix/events/redaction.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { powerLevels } from '../../src/matrix/rooms/power-levels.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { RoomsProtocol } from './protocol.ts';
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
import { withoutKeys } from './without-keys.ts';

type RedactEvent = InputOf<RoomsProtocol, 'rooms.redact-event'>;

/** A user redacts own events, and those of others with the room's redact level. */
function checkRedaction(room: Room, sender: string, target: StoredEvent): Refusal | undefined {
  if (room.state.find('m.room.member', sender)?.content['membership'] !== 'join') return notInRoom();
  const create = room.state.find('m.room.create', '');
  if (create === undefined || target.type === 'm.room.create')
    return refuse('M_FORBIDDEN', 'the create event cannot be redacted');
  if (target.sender === sender) return undefined;
  const levels = powerLevels(room.version, create, room.state.find('m.room.power_levels', ''));
  if (levels.ofUser(sender) >= levels.redact) return undefined;
  return refuse('M_FORBIDDEN', `to redact events of others takes level ${levels.redact}`);
}

function parentOf(target: StoredEvent): string | null {
  return relationOf((JSON.parse(target.pdu) as Pdu).content)?.parentId ?? null;
}

/** What is redacted counts as redacted for the next event, too: a redacted member event has no display name. */
function redactInMemory(room: Room, target: StoredEvent): void {
  const { type, stateKey, eventId } = target;
  if (stateKey === null) return;
  const standing = room.state.findEvent(type, stateKey);
  if (standing?.eventId !== eventId) return;
  room.state.set(type, stateKey, { ...standing, pdu: redact(room.version, standing.pdu) });
}

/**
 * Redacts an event and applies the redaction at once. Who may not redact is refused here, in every room version: an event that
 * no server applies would only be noise.
 * Client-Server API v1.19, "Redactions"; each room version, "Handling redactions".
 */
export async function redactEvent(desk: RoomsDesk, input: RedactEvent): Promise<Turn> {
  const { roomId, sender, eventId, stickyDurationMs } = input;
  const transaction = transactionKey(sender, input.transaction);
  const repeated = await repeatTransaction(desk, transaction);
  if (repeated !== undefined) return repeated;
  return withRoom(desk, roomId, notInRoom, async (room) => {
    const content = withoutKeys(input.content, 'redacts');
    const originServerTs = desk.clock.now();
    const proposal: Proposal = {
      sender,
      type: 'm.room.redaction',
      content,
      redacts: eventId,
      ...(stickyDurationMs !== undefined && { stickyDurationMs }),
      originServerTs,
    };
    await loadFor(room, proposal);
    const target = await findEvent(desk.db, eventId);
    // What no client is shown is not there for clients to redact.
    if (target === undefined || target.roomId !== roomId || target.rejection !== null)
      return refuse('M_NOT_FOUND', `there is no event ${eventId} in this room`);
    const refusal = checkRedaction(room, sender, target);
    if (refusal !== undefined) return refusal;
    // In memory before the redaction is staged: what is read before its commit is not redacted yet.
    if (target.stateKey !== null) await room.state.load([{ type: target.type, stateKey: target.stateKey }]);
    const isFirst = target.redactedBy === null && !room.redacting.has(eventId);
    const redaction = isFirst && {
      redacts: eventId,
      parentOfRedacted: parentOf(target),
      staged: (now: Room) => redactInMemory(now, target),
    };
    return sendProposal(desk, room, proposal, { transaction, ...redaction });
  });
}
