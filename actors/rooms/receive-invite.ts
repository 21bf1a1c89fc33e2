import { findEvent } from '../../db/rooms/event-reader.ts';
import { findLocalMembership, type LocalMembership } from '../../db/rooms/membership-reader.ts';
import { type OutOfBandMember, storeForeignRoom } from '../../db/rooms/out-of-band-writer.ts';
import { findRoom, type RoomRecord } from '../../db/rooms/room-reader.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { InputOf } from '../kit/protocol.ts';
import { commitOutOfBand } from './commit-out-of-band.ts';
import type { RoomMaker } from './create-room.ts';
import { type CheckedInvite, checkInvite } from './invite-checks.ts';
import type { Received, RoomsProtocol, Sent } from './protocol.ts';
import { refuseInvite } from './refuse-invite.ts';
import type { Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';

type ReceiveInvite = InputOf<RoomsProtocol, 'rooms.receive-invite'>;

/** What taking in an invite or a join needs beside the desk. */
export interface Reception {
  readonly maker: Pick<RoomMaker, 'nextRoomNid'>;
  /** Takes an event into a room that this server is in. */
  receive(input: InputOf<RoomsProtocol, 'rooms.receive-event'>): Promise<Received | Refusal>;
  /** Of the events stream. */
  position(): number;
}

/** The answer that says that an event stands in the timeline, or nothing stands in its way there. */
export async function sentOfReceived(
  desk: RoomsDesk,
  reception: Reception,
  received: Exclude<Received, { readonly kind: 'missing' }>,
): Promise<Sent | Refusal> {
  const { kind, eventId } = received;
  if (kind === 'accepted') return { kind: 'sent', eventId, position: received.position };
  if (kind !== 'known') return refuse('M_FORBIDDEN', received.reason);
  const stored = await findEvent(desk.db, eventId);
  if (stored !== undefined && stored.rejection !== null) return refuse('M_FORBIDDEN', stored.rejection);
  return { kind: 'sent', eventId, position: stored?.streamOrdering ?? reception.position() };
}

/**
 * An invite to a room that this server is in. Where events before it are not known, only whether the room allows it now can be said: it comes
 * again, with them, as every event of the room does.
 */
async function receiveInside(
  desk: RoomsDesk,
  reception: Reception,
  room: Room,
  input: ReceiveInvite,
  { version, pdu }: CheckedInvite,
): Promise<Sent | Refusal> {
  const { roomId, event, receivedFrom } = input;
  const given = { roomId, event, receivedFrom, stateBefore: null, isFinal: false };
  // The inviting server has to have asked the policy server of the room: nothing here waits for that.
  const received = await reception.receive({ ...given, unsignedReason: 'the invite is not signed' });
  if (isRefusal(received)) return received;
  if (received.kind !== 'missing') return sentOfReceived(desk, reception, received);
  await room.state.load([{ type: 'm.room.create', stateKey: '' }, ...authEventKeys(version, pdu)]);
  const decision = authorise(version, { roomId, pdu }, room.state);
  if (!decision.allowed) return refuse('M_FORBIDDEN', decision.reason);
  return { kind: 'sent', eventId: event.eventId, position: reception.position() };
}

/** Whether a membership came after an invite: the invite is late, or is repeated. */
async function isNewer(
  desk: RoomsDesk,
  standing: LocalMembership,
  { eventId, depth }: { readonly eventId: string; readonly depth: number },
): Promise<boolean> {
  if (standing.eventId === eventId) return true;
  const member = await findEvent(desk.db, standing.eventId);
  if (member === undefined) throw new Error(`the event of a membership of ${standing.roomId} is not stored`);
  const known = await findEvent(desk.db, eventId);
  if (known !== undefined) return known.eventNid < member.eventNid;
  // By depths only events of the room compare: what we made out of band has the place that we gave it.
  return member.streamOrdering !== null && member.depth > depth;
}

/** What is stored of an invite: nothing of what the other server put beside it but the stripped state. */
function memberOf(
  { event, receivedFrom }: ReceiveInvite,
  { pdu, target, strippedState }: CheckedInvite,
  roomNid: number,
): OutOfBandMember {
  const { sender, depth, origin_server_ts: originServerTs } = pdu;
  const stored = JSON.stringify({ ...pdu, unsigned: { invite_room_state: strippedState } });
  const member = { roomNid, userId: target, membership: 'invite', sender, receivedFrom };
  return { ...member, eventId: event.eventId, depth, originServerTs, pdu: stored };
}

/** An invite to a room that this server is not in: known by the invite alone. */
async function receiveOutside(
  desk: RoomsDesk,
  reception: Reception,
  input: ReceiveInvite,
  invite: CheckedInvite,
  known: RoomRecord | undefined,
): Promise<Sent | Refusal> {
  const { roomId, roomVersion, event } = input;
  const { target, creator, pdu } = invite;
  const { eventId } = event;
  const stored = await findEvent(desk.db, eventId);
  // Room versions 1 and 2: any server may have chosen an id of its own for two events.
  if (stored !== undefined && stored.roomId !== roomId)
    return refuse('M_BAD_JSON', `${eventId} is of another room`);
  const standing = await findLocalMembership(desk.db, target, roomId);
  if (standing?.membership === 'ban') return refuse('M_FORBIDDEN', `${target} is banned from the room`);
  if (standing !== undefined && (await isNewer(desk, standing, { eventId, depth: pdu.depth })))
    return { kind: 'sent', eventId, position: standing.position };
  const roomNid = known?.roomNid ?? reception.maker.nextRoomNid();
  const before = known === undefined ? [storeForeignRoom({ roomNid, roomId, roomVersion, creator })] : [];
  // Known out of an auth chain, it was read without what came with it now.
  const facts: readonly Fact[] = stored === undefined ? [] : [{ fact: 'event', roomId, eventId }];
  return commitOutOfBand(desk, roomId, memberOf(input, invite, roomNid), { before, facts });
}

/**
 * Takes in an invite of a local user by another server. To a room that this server is not in, it is an event outside of any timeline, and
 * makes the room known, its version included. Server-Server API v1.19, "Inviting to a room".
 *
 * @returns where it stands; where a newer membership does, or the invite did before: that one's position. Refused as the protocol and
 * {@link checkInvite} say
 */
export async function receiveInvite(
  desk: RoomsDesk,
  reception: Reception,
  input: ReceiveInvite,
): Promise<Sent | Refusal> {
  const invite = checkInvite(input, desk.serverName);
  if (isRefusal(invite)) return invite;
  const blocked = await refuseInvite(desk, invite.pdu.sender, invite.target);
  if (blocked !== undefined) return blocked;
  const known = await findRoom(desk.db, input.roomId);
  if (known !== undefined && known.roomVersion !== invite.version.id)
    return refuse('M_BAD_JSON', `${input.roomId} is of room version ${known.roomVersion}`);
  const room = await desk.rooms.find(input.roomId);
  if (room === undefined) return receiveOutside(desk, reception, input, invite, known);
  room.holds += 1;
  try {
    return await receiveInside(desk, reception, room, input, invite);
  } finally {
    room.holds -= 1;
  }
}
