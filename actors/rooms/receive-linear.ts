import type { Receipt } from '../../db/rooms/inbound-reader.ts';
import {
  changeCurrentState,
  changeExtremities,
  setResolvedState,
  storeInboundEvent,
} from '../../db/rooms/inbound-writer.ts';
import { PLAIN_PLACEMENT } from '../../db/rooms/partial-writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import { stickyUntil } from '../../src/matrix/events/stickiness.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { StateKey } from '../../src/matrix/rooms/auth-decision.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import { type Later, later } from '../kit/actor.ts';
import { findUnsigned, type Incoming } from './assess-event.ts';
import { isRedaction } from './held-redactions.ts';
import { membershipOfPdu, rowOfPdu } from './place-event.ts';
import type { Received } from './protocol.ts';
import { type ReceivedPdu, depthOf } from './received-pdu.ts';
import type { Room } from './room-memory.ts';
import { type EventPlace, eventSizeBytes } from './room-state.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { chooseStateGroup } from './state-groups.ts';

const CREATE: StateKey = { type: 'm.room.create', stateKey: '' };

/** Whether an event follows the newest ones, all of them, and nothing is to be found out about it. */
function isPlain(desk: RoomsDesk, room: Room, { pdu }: ReceivedPdu, receipt: Receipt): boolean {
  if (receipt.eventNid !== null || receipt.isAwaited || receipt.isRedactionTarget || receipt.isFollowed)
    return false;
  if (pdu.type === CREATE.type || isRedaction(pdu)) return false;
  // The end of a local user's stay may be the end of this server's.
  const isMember = pdu.type === 'm.room.member' && pdu.state_key !== undefined;
  if (isMember && isOfServer(pdu.state_key, desk.serverName)) return false;
  const prevEvents = new Set(edgeIds(pdu.prev_events));
  return (
    prevEvents.size === room.extremities.length &&
    room.extremities.every(({ eventId }) => prevEvents.has(eventId))
  );
}

/** Whether the auth events are of the current state, and these and the current state allow the event. */
function isAllowed(room: Room, pdu: Pdu, keys: readonly StateKey[]): boolean {
  const { version, roomId, state } = room;
  const subject = { roomId, pdu };
  const named = new Set(edgeIds(pdu.auth_events));
  const standing = keys.filter(({ type, stateKey }) => {
    const eventId = state.findEvent(type, stateKey)?.eventId;
    return eventId !== undefined && named.has(eventId);
  });
  const isSelection = standing.length === named.size && named.size === pdu.auth_events.length;
  const hasCreate = !version.createInAuthEvents || standing.some(({ type }) => type === CREATE.type);
  if (!isSelection || !hasCreate) return false;
  if (!authorise(version, subject, state).allowed) return false;
  const isNamed = (type: string, stateKey: string): boolean =>
    type === CREATE.type || standing.some((key) => key.type === type && key.stateKey === stateKey);
  const atAuthEvents = {
    find: (type: string, stateKey: string) =>
      isNamed(type, stateKey) ? state.find(type, stateKey) : undefined,
  };
  return authorise(version, subject, atAuthEvents).allowed;
}

/** Puts the event into the room's memory and gives the steps that store it. */
function stage(
  desk: RoomsDesk,
  room: Room,
  event: ReceivedPdu,
  receivedFrom: string | null,
  place: EventPlace,
): readonly WriteStep[] {
  const { eventId, pdu, json, sha256 } = event;
  const { roomNid } = room;
  const { type, state_key: stateKey } = pdu;
  const before = room.extremities.map((extremity) => extremity.eventId);
  const own = stateKey === undefined ? undefined : { type, stateKey, eventId };
  const stateGroup = chooseStateGroup(room, own, desk.stage.numbers);
  if (stateKey !== undefined)
    room.state.set(type, stateKey, { eventId, sha256, pdu, place, sizeBytes: eventSizeBytes(json) });
  room.extremities = [{ eventId, sha256 }];
  room.depth = depthOf(pdu);
  room.stateGroup = stateGroup.stateGroup;
  const stored = {
    roomNid,
    eventId,
    isStored: false,
    isVisible: true,
    depth: pdu.depth,
    originServerTs: pdu.origin_server_ts,
    type,
    stateKey: stateKey ?? null,
    rejection: null,
    stateGroup,
    receivedFrom,
    pdu: json,
    missing: [],
    isRelated: relationOf(pdu.content) !== null,
    stickyUntil: stickyUntil(pdu, desk.clock.now()),
    placement: room.isPartial ? PLAIN_PLACEMENT : null,
  };
  const steps = storeInboundEvent(stored, 0);
  steps.push(
    ...changeExtremities(roomNid, eventId, { before, removed: before, isAdded: true, followed: [] }),
  );
  if (before.length > 1) steps.push(...setResolvedState(roomNid, null));
  if (own !== undefined) {
    const change = { ...own, membership: membershipOfPdu(pdu), localMember: null };
    steps.push(...changeCurrentState(roomNid, change, 0, true));
  }
  return steps;
}

/**
 * Takes in an event that follows the newest ones, while those may still wait for their commit: the state before it is the current state,
 * which is in memory. The room goes on at once.
 *
 * @returns undefined, nothing staged, for any event that is not as plain as that or not allowed: it has to be looked at alone
 */
export async function receiveLinear(
  desk: RoomsDesk,
  room: Room,
  event: ReceivedPdu,
  receipt: Receipt,
  { receivedFrom, isRelayed = false, policy }: Pick<Incoming, 'receivedFrom' | 'isRelayed' | 'policy'>,
): Promise<Later<Received | Refusal> | undefined> {
  const { eventId, pdu } = event;
  if (!isPlain(desk, room, event, receipt)) return undefined;
  const keys = authEventKeys(room.version, pdu);
  const own = pdu.state_key === undefined ? [] : [{ type: pdu.type, stateKey: pdu.state_key }];
  await room.state.load([CREATE, ...own, ...keys]);
  if (!isAllowed(room, pdu, keys)) return undefined;
  if (policy !== undefined && (await findUnsigned(desk, room, { event, policy })) !== null) return undefined;
  const { promise, resolve, reject } = Promise.withResolvers<number | Refusal>();
  const steps = stage(desk, room, event, receivedFrom, { committed: promise, offset: 0 });
  room.holds += 1;
  const finish = (outcome: number | Refusal): void => {
    room.holds -= 1;
    if (isRefusal(outcome)) desk.rooms.discard(room);
    resolve(outcome);
  };
  const { roomId } = room;
  const relayed = isRelayed ? { relayed: eventId } : {};
  desk
    .commit({ roomId, rows: [rowOfPdu(roomId, event)], steps, isOurs: false, ...relayed })
    .then(finish, reject);
  const answer = promise.then((outcome): Received | Refusal =>
    isRefusal(outcome) ? outcome : { kind: 'accepted', eventId, position: outcome },
  );
  return later(answer);
}
