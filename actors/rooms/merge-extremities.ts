import { readJoinedLocalUserIds } from '../../db/rooms/membership-reader.ts';
import { changeExtremities, setResolvedState, storeInboundEvent } from '../../db/rooms/inbound-writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import { EXTREMITIES_WANTED_MAX } from './extremities.ts';
import type { Room } from './room-memory.ts';
import { loadFor, type RoomsDesk, withRoom } from './rooms-desk.ts';
import { type Proposal, type StagedEvent, stageEvent } from './stage-event.ts';

/** The type of an event that only follows others. Servers send it to each other; no client sees it. */
export const DUMMY_EVENT_TYPE = 'org.matrix.dummy_event';
/** Local members that are tried as its sender. */
const DUMMY_SENDERS_MAX = 50;

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
  };
  const change = { before, removed: follows, isAdded: true, followed: [] };
  const resolved = resolvedStateGroup === null ? null : stateGroup;
  return [
    ...storeInboundEvent(stored, 0),
    ...changeExtremities(roomNid, eventId, change),
    ...setResolvedState(roomNid, resolved),
  ];
}

/** Stages the event for the first local member who may send it. */
async function stageDummy(desk: RoomsDesk, room: Room): Promise<StagedEvent | undefined> {
  const senders = await readJoinedLocalUserIds(desk.db, room.roomId);
  for (const sender of senders.slice(0, DUMMY_SENDERS_MAX)) {
    const originServerTs = desk.clock.now();
    const proposal: Proposal = { sender, type: DUMMY_EVENT_TYPE, content: {}, originServerTs };
    await loadFor(room, proposal);
    // It is never asked for its place: no state event.
    const event = stageEvent(room, proposal, 0, desk.stage);
    if (!isRefusal(event)) return event;
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
