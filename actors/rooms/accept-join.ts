import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { findEvent } from '../../db/rooms/event-reader.ts';
import { readKnownEvents } from '../../db/rooms/inbound-reader.ts';
import {
  changeCurrentState,
  changeExtremities,
  type CurrentStateChange,
  storeInboundEvent,
} from '../../db/rooms/inbound-writer.ts';
import { readLocalMemberships } from '../../db/rooms/membership-reader.ts';
import { readAcceptedIds } from '../../db/rooms/out-of-band-reader.ts';
import { enterRoom, storeForeignRoom } from '../../db/rooms/out-of-band-writer.ts';
import { storePartialRoom } from '../../db/rooms/partial-writer.ts';
import { findRoom, type RoomRecord } from '../../db/rooms/room-reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { parentsOf } from './commit-events.ts';
import { parseForeignEvent } from './foreign-event.ts';
import { knownVersion } from './invite-checks.ts';
import { type JoinState, keepAccepted, parseJoinState, withEvents } from './join-state.ts';
import { candidateOf, deciderIds, judgeAtAuthEvents } from './judge-event.ts';
import { namedMembers } from './named-members.ts';
import type { RoomsProtocol, Sent } from './protocol.ts';
import { type Reception, sentOfReceived } from './receive-invite.ts';
import type { RoomsDesk } from './rooms-desk.ts';

type AcceptJoin = InputOf<RoomsProtocol, 'rooms.accept-join'>;

const MEMBER = 'm.room.member';

/** What taking in a join needs beside the desk. */
export interface JoinReception extends Reception {
  /** Stores events outside of the timeline. */
  receiveOutliers(
    input: InputOf<RoomsProtocol, 'rooms.receive-outliers'>,
  ): Promise<OutputOf<RoomsProtocol, 'rooms.receive-outliers'>>;
  /** A write that advances no stream. */
  write(steps: readonly WriteStep[]): Promise<WriteOutcome>;
  /** What an unavailable storage is answered with. */
  unavailable(outcome: Extract<WriteOutcome, { readonly kind: 'unavailable' }>): Refusal;
}

/** A join that says what it is. */
export interface CheckedJoin {
  readonly version: RoomVersion;
  readonly pdu: Pdu;
  readonly userId: string;
  readonly state: JoinState;
}

async function checkJoin(input: AcceptJoin, serverName: string): Promise<CheckedJoin | Refusal> {
  const version = knownVersion(input.roomVersion);
  if (isRefusal(version)) return version;
  const pdu = parseForeignEvent(version, input.roomId, input.event.pdu);
  if (isRefusal(pdu)) return pdu;
  const { type, sender, state_key: userId, content } = pdu;
  if (type !== MEMBER || content['membership'] !== 'join' || userId !== sender)
    return refuse('M_BAD_JSON', 'the event is no join');
  if (!isOfServer(userId, serverName)) return refuse('M_BAD_JSON', `${userId} is not a user of this server`);
  const state = await parseJoinState(version, input.roomId, input.state);
  return isRefusal(state) ? state : { version, pdu, userId, state };
}

/** The room's row, made when there is none: from here on its version stands. */
async function ensureRoom(
  desk: RoomsDesk,
  reception: JoinReception,
  input: AcceptJoin,
  { state }: CheckedJoin,
): Promise<RoomRecord | Refusal> {
  const { roomId, roomVersion } = input;
  const known = await findRoom(desk.db, roomId);
  if (known !== undefined) return known;
  const roomNid = reception.maker.nextRoomNid();
  const room = { roomNid, roomId, roomVersion, creator: state.create.pdu.sender };
  const outcome = await reception.write([storeForeignRoom(room)]);
  if (outcome.kind === 'unavailable') return reception.unavailable(outcome);
  if (outcome.kind === 'refused') throw new Error(`the room ${roomId} was refused: ${outcome.refusal}`);
  return { ...room, isPublic: false, resolvedStateGroup: null };
}

/** The state and its auth chains as events outside of any timeline, each authorised at its auth events. */
function storeState(reception: JoinReception, input: AcceptJoin) {
  const { roomId, state, authChain, receivedFrom } = input;
  const byId = new Map([...authChain, ...state].map((event) => [event.eventId, event]));
  return reception.receiveOutliers({ roomId, events: [...byId.values()], receivedFrom });
}

/** In a room that this server is in, the join is an event like others; the state before it helps where events before it cannot be had. */
async function receiveInside(
  desk: RoomsDesk,
  reception: JoinReception,
  input: AcceptJoin,
  { roomNid }: RoomRecord,
): Promise<Sent | Refusal> {
  const stored = await storeState(reception, input);
  if (isRefusal(stored)) return stored;
  const { roomId, event, receivedFrom } = input;
  const question = { roomId, event, receivedFrom, isFinal: true };
  const first = await reception.receive({ ...question, stateBefore: null });
  if (isRefusal(first)) return first;
  if (first.kind !== 'missing') return sentOfReceived(desk, reception, first);
  if (input.partial !== null)
    return refuse(
      'M_BAD_JSON',
      'the state before the join lacks members, and it follows events that are not known',
    );
  const eventIds = input.state.map(({ eventId }) => eventId);
  const accepted = await readAcceptedIds(desk.db, roomNid, eventIds);
  const stateBefore = eventIds.filter((eventId) => accepted.has(eventId));
  const second = await reception.receive({ ...question, stateBefore });
  if (isRefusal(second)) return second;
  if (second.kind !== 'missing') return sentOfReceived(desk, reception, second);
  return refuse('M_FORBIDDEN', 'the auth events of the join are not known');
}

/**
 * Asks the rules at the join's own auth events, and at the state before it, which is the current state.
 *
 * @param isPartial the state lacks members: what the rules look at of them is taken out of the auth events, and is of the state from there on
 * @returns that state; refused with M_FORBIDDEN
 */
export async function checkAuthority(
  desk: Pick<RoomsDesk, 'db'>,
  { version, pdu }: Pick<CheckedJoin, 'version' | 'pdu'>,
  { roomId, event }: { readonly roomId: string; readonly event: { readonly eventId: string } },
  given: JoinState,
  isPartial: boolean,
): Promise<JoinState | Refusal> {
  const judged = { eventId: event.eventId, roomId, pdu };
  const known = await readKnownEvents(desk.db, deciderIds(version, judged));
  const verdict = judgeAtAuthEvents(version, judged, given.create.eventId, (eventId) => {
    const candidate = known.get(eventId);
    return candidate && candidateOf(version, candidate);
  });
  if (verdict.kind === 'missing') return refuse('M_FORBIDDEN', 'auth events of the join are not known');
  if (verdict.kind === 'rejected') return refuse('M_FORBIDDEN', verdict.reason);
  const named = isPartial ? namedMembers(version, pdu, known) : [];
  const state = withEvents(
    given,
    named.map(({ eventId, pdu: member, stateKey }) => ({ eventId, pdu: { ...member, state_key: stateKey } })),
  );
  const decision = authorise(version, judged, state);
  return decision.allowed ? state : refuse('M_FORBIDDEN', decision.reason);
}

/** What the state makes of the memberships of other local users: those that were known from an earlier stay, or from invites. */
async function otherMemberships(
  desk: RoomsDesk,
  roomId: string,
  userId: string,
  state: JoinState,
  isPartial: boolean,
): Promise<readonly CurrentStateChange[]> {
  const known = new Map(
    (await readLocalMemberships(desk.db, roomId)).map((standing) => [standing.userId, standing]),
  );
  const changes: CurrentStateChange[] = [];
  for (const { eventId, pdu } of state.events) {
    const { type, state_key: stateKey, sender, content } = pdu;
    if (type !== MEMBER || !isOfServer(stateKey, desk.serverName)) continue;
    const standing = known.get(stateKey);
    known.delete(stateKey);
    const membership = content['membership'];
    if (stateKey === userId || standing?.eventId === eventId || typeof membership !== 'string') continue;
    const localMember = { userId: stateKey, sender };
    changes.push({ type: MEMBER, stateKey, eventId, membership, localMember });
  }
  // Of whom nothing is said it is not known whether anything has changed.
  if (isPartial) return changes;
  known.delete(userId);
  for (const { userId: stateKey, membership, sender } of known.values()) {
    if (membership === 'leave' || membership === 'removed') continue;
    const localMember = { userId: stateKey, sender };
    changes.push({ type: MEMBER, stateKey, eventId: null, membership: null, localMember });
  }
  return changes;
}

function rowsOf(
  input: AcceptJoin,
  { pdu, userId }: CheckedJoin,
  others: readonly CurrentStateChange[],
  isStored: boolean,
): EventsRow[] {
  const { roomId, event } = input;
  const { eventId } = event;
  const member = { type: MEMBER, stateKey: userId, sender: pdu.sender, membership: 'join', redacts: null };
  return [
    { kind: 'room', roomId, change: 'joined' },
    {
      kind: 'event',
      eventId,
      roomId,
      ...member,
      ...(isStored && { isLate: true as const }),
      ...parentsOf(pdu.content, null),
    },
    ...others.map(({ type, stateKey, eventId: standing, membership }): EventsRow => {
      return { kind: 'state', roomId, type, stateKey, eventId: standing, membership };
    }),
  ];
}

/** Everything that becomes visible, in one write set. */
function stepsOfJoin(
  desk: RoomsDesk,
  input: AcceptJoin,
  room: RoomRecord,
  join: CheckedJoin,
  state: JoinState,
  others: readonly CurrentStateChange[],
  isStored: boolean,
): readonly WriteStep[] {
  const { roomNid, roomId } = room;
  const { event, receivedFrom, partial } = input;
  const { eventId } = event;
  const { pdu, userId } = join;
  const before = desk.stage.numbers.next();
  const after = desk.stage.numbers.next();
  const own = { type: MEMBER, stateKey: userId, eventId };
  const { unsigned: _, ...signed } = pdu;
  const eventIds = state.events.map((one) => one.eventId);
  const localMember = { userId, sender: pdu.sender };
  return [
    ...enterRoom({ roomNid, roomId, stateGroup: before, eventIds }, 0),
    ...storeInboundEvent(
      {
        roomNid,
        eventId,
        isStored,
        isVisible: true,
        depth: pdu.depth,
        type: MEMBER,
        stateKey: userId,
        rejection: null,
        stateGroup: { kind: 'new', stateGroup: after, parent: before, changes: [own], isCheckpoint: false },
        receivedFrom,
        originServerTs: pdu.origin_server_ts,
        pdu: JSON.stringify(signed),
        missing: [],
        isRelated: relationOf(pdu.content) !== null,
      },
      1,
    ),
    ...changeCurrentState(roomNid, { ...own, membership: 'join', localMember }, 1, true),
    ...changeExtremities(roomNid, eventId, {
      before: [],
      removed: [],
      isAdded: true,
      // Should they come late: the join follows them already.
      followed: edgeIds(pdu.prev_events),
    }),
    ...others.flatMap((change, index) => changeCurrentState(roomNid, change, 2 + index, false)),
    ...(partial === null
      ? []
      : [storePartialRoom({ roomNid, joinEventId: eventId, joinedVia: receivedFrom, ...partial })]),
  ];
}

/**
 * Takes in the join of a local user that another server has helped with, and the state of the room with it.
 * Server-Server API v1.19, "Joining Rooms"; without the members, where it is partial: MSC3902.
 *
 * @returns refused with M_UNSUPPORTED_ROOM_VERSION, M_BAD_JSON (also when the room is known with another version), M_FORBIDDEN
 */
export async function acceptJoin(
  desk: RoomsDesk,
  reception: JoinReception,
  input: AcceptJoin,
): Promise<Sent | Refusal> {
  const { roomId, event } = input;
  const join = await checkJoin(input, desk.serverName);
  if (isRefusal(join)) return join;
  const room = await ensureRoom(desk, reception, input, join);
  if (isRefusal(room)) return room;
  if (room.roomVersion !== join.version.id)
    return refuse('M_BAD_JSON', `${roomId} is of room version ${room.roomVersion}`);
  if ((await desk.rooms.find(roomId)) !== undefined) return receiveInside(desk, reception, input, room);
  const known = await findEvent(desk.db, event.eventId);
  if (known !== undefined && (known.roomId !== roomId || known.streamOrdering !== null))
    return refuse('M_BAD_JSON', `${event.eventId} is known as another event`);
  const stored = await storeState(reception, input);
  if (isRefusal(stored)) return stored;
  const isPartial = input.partial !== null;
  const accepted = await keepAccepted(desk.db, room.roomNid, join.state);
  const state = await checkAuthority(desk, join, input, accepted, isPartial);
  if (isRefusal(state)) return state;
  const others = await otherMemberships(desk, roomId, join.userId, state, isPartial);
  const isStored = (await findEvent(desk.db, event.eventId)) !== undefined;
  const steps = stepsOfJoin(desk, input, room, join, state, others, isStored);
  const rows = rowsOf(input, join, others, isStored);
  const first = await desk.commit({ roomId, rows, steps, isOurs: false });
  return isRefusal(first) ? first : { kind: 'sent', eventId: event.eventId, position: first + 1 };
}
