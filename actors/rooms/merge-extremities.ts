import { readJoinedLocalUserIds } from '../../db/rooms/membership-reader.ts';
import { changeExtremities, setResolvedState, storeInboundEvent } from '../../db/rooms/inbound-writer.ts';
import { PLAIN_PLACEMENT } from '../../db/rooms/partial-writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import { EXTREMITIES_WANTED_MAX } from './extremities.ts';
import type { Room } from './room-memory.ts';
import { findPolicyServer } from './room-policy.ts';
import { loadFor, type RoomsDesk, withRoom } from './rooms-desk.ts';
import { type DraftedEvent, draftEvent, type Proposal, stageDraft, type StagedEvent } from './stage-event.ts';

/** The type of an event that only follows others. Servers send it to each other; no client sees it. */
export const DUMMY_EVENT_TYPE = 'org.matrix.dummy_event';
/** Local members that are tried as its sender. */
const DUMMY_SENDERS_MAX = 50;
/** How long the policy server of a room is not asked again about such an event, in milliseconds. */
const DUMMY_RETRY_MS = 10 * 60_000;

function stepsOf(room: Room, event: StagedEvent, before: readonly string[]): readonly WriteStep[] {
  const { roomNid } = room;
  const { built, depth, stateGroup, follows, resolvedStateGroup = null } = event;
  const { eventId, json, pdu } = built;
  const stored = {
    roomNid,
    eventId,
    isStored: false,
    isVisible: false,
    depth,
    originServerTs: pdu.origin_server_ts,
    type: pdu.type,
    stateKey: null,
    rejection: null,
    stateGroup,
    receivedFrom: null,
    pdu: json,
    missing: [],
    placement: room.isPartial ? PLAIN_PLACEMENT : null,
  };
  const change = { before, removed: follows, isAdded: true, followed: [] };
  const resolved = resolvedStateGroup === null ? null : stateGroup;
  return [
    ...storeInboundEvent(stored, 0),
    ...changeExtremities(roomNid, eventId, change),
    ...setResolvedState(roomNid, resolved),
  ];
}

/**
 * The event as the room's policy server, where it has one, lets it be sent; undefined where it does not. The room waits for it, once in a while:
 * a no is for long.
 */
async function signDummy(
  desk: RoomsDesk,
  room: Room,
  draft: DraftedEvent,
): Promise<DraftedEvent | undefined> {
  const policyServer = await findPolicyServer(desk.policy, room);
  if (policyServer === null) return draft;
  const now = desk.clock.now();
  if (now < (desk.policy.dummiesRefusedUntil.get(room.roomId) ?? 0)) return undefined;
  const built = await desk.policy.sign(room.version, policyServer, draft.built);
  if (!isRefusal(built)) return { ...draft, built };
  desk.policy.dummiesRefusedUntil.set(room.roomId, now + DUMMY_RETRY_MS);
  return undefined;
}

/** Stages the event for the first local member who may send it. */
async function stageDummy(desk: RoomsDesk, room: Room): Promise<StagedEvent | undefined> {
  const senders = await readJoinedLocalUserIds(desk.db, room.roomId);
  for (const sender of senders.slice(0, DUMMY_SENDERS_MAX)) {
    const originServerTs = desk.clock.now();
    const proposal: Proposal = { sender, type: DUMMY_EVENT_TYPE, content: {}, originServerTs };
    await loadFor(room, proposal);
    const draft = draftEvent(room, proposal, desk.stage);
    if (isRefusal(draft)) continue;
    const signed = await signDummy(desk, room, draft);
    // It is never asked for its place: no state event.
    return signed && stageDraft(room, proposal, signed, 0, desk.stage);
  }
  return undefined;
}

/**
 * Joins the extremities of a room that has too many with an event of ours, so that the next events need not be resolved from all of
 * them. Where no local user may send one, the room is left as it is. Nothing of the room is under way.
 */
export function mergeExtremities(desk: RoomsDesk, roomId: string): Promise<void> {
  return withRoom<void>(
    desk,
    roomId,
    () => undefined,
    async (room) => {
      if (room.extremities.length <= EXTREMITIES_WANTED_MAX) return;
      const before = room.extremities.map(({ eventId }) => eventId);
      const event = await stageDummy(desk, room);
      if (event === undefined) return;
      const outcome = await desk.commit({
        roomId,
        rows: [null],
        steps: stepsOf(room, event, before),
        isOurs: true,
        unseen: [{ eventId: event.built.eventId, offset: 0 }],
      });
      if (isRefusal(outcome)) desk.rooms.discard(room);
    },
  );
}
