import { LRUCache } from 'lru-cache';
import { readHistoryGaps } from '../../db/rooms/gap-reader.ts';
import { readKnownEvents } from '../../db/rooms/inbound-reader.ts';
import { findPartialRoom } from '../../db/rooms/partial-reader.ts';
import { readExtremities } from '../../db/rooms/head-reader.ts';
import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { askForHistory, type Peer } from './ask-peer.ts';
import { inCausalOrder, type ValidEvent } from './event-order.ts';
import { fetchStateBefore } from './fetch-state.ts';
import type { FederationReceiverProtocol } from './protocol.ts';
import { findOpenRoom, type ReceiverDesk, type RoomAtHand } from './receiver-desk.ts';
import { takeFetched } from './take-fetched.ts';
import { edgeIds } from '../../src/matrix/events/pdu.ts';

/** Events that one request for history brings at most. */
export const HISTORY_EVENTS_MAX = 100;
/** Gaps of a room that one request names. */
const GAPS_ASKED_MAX = 5;
/** Servers that are asked, until one gives something. */
const SERVERS_ASKED_MAX = 5;
/** Whole states that are fetched for one piece of history: one for each of its ends. */
const STATES_FETCHED_MAX = 3;

/** For how long after nobody had anything a room's history is not asked for again, in milliseconds: every look at it would wait. */
export const FAILURE_PAUSE_MS = 60_000;
/** Rooms of which that is remembered. */
const FAILURES_REMEMBERED_MAX = 1_000;

type Backfill = InputOf<FederationReceiverProtocol, 'federation-receiver.backfill'>;
type Filled = OutputOf<FederationReceiverProtocol, 'federation-receiver.backfill'>;

const NOTHING = { kind: 'filled', events: 0, isAll: false } as const;

/** An event of the past, with the state before it where that does not follow from events that are known. */
interface PlacedPast {
  readonly valid: ValidEvent;
  readonly stateBefore: readonly string[] | null;
}

/** Finds the states at the ends of a piece of history; what follows an end whose state cannot be had is left out. */
async function placeAll(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  events: readonly ValidEvent[],
): Promise<readonly PlacedPast[]> {
  const named = new Set(events.flatMap(({ pdu }) => edgeIds(pdu.prev_events)));
  // Only what has a state leads to one: an outlier is known, and nothing follows from it.
  const known = await readKnownEvents(desk.db, [...named]);
  const placed = new Set<string>();
  const past: PlacedPast[] = [];
  let states = STATES_FETCHED_MAX;
  for (const valid of events) {
    const { eventId } = valid.event;
    const previous = edgeIds(valid.pdu.prev_events);
    const isPlaced = previous.every((id) => placed.has(id) || (known.get(id)?.stateGroup ?? null) !== null);
    let stateBefore: readonly string[] | null = null;
    if (!isPlaced) {
      if (states === 0) continue;
      states -= 1;
      stateBefore = await fetchStateBefore(desk, room, peer, eventId);
      if (stateBefore === null) continue;
    }
    placed.add(eventId);
    past.push({ valid, stateBefore });
  }
  return past;
}

/** What follows the newest events is no history, but was missed: it comes as they did, and what follows it is news no more. */
async function splitOff(
  desk: ReceiverDesk,
  room: RoomAtHand,
  past: readonly PlacedPast[],
): Promise<{ readonly history: readonly PlacedPast[]; readonly missed: readonly PlacedPast[] }> {
  const later = new Set((await readExtremities(desk.db, room.roomNid)).map(({ eventId }) => eventId));
  const history: PlacedPast[] = [];
  const missed: PlacedPast[] = [];
  for (const one of past) {
    const isMissed = edgeIds(one.valid.pdu.prev_events).some((id) => later.has(id));
    if (isMissed) later.add(one.valid.event.eventId);
    (isMissed ? missed : history).push(one);
  }
  return { history, missed };
}

/** @returns how many entered the timeline */
async function receiveMissed(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  missed: readonly PlacedPast[],
): Promise<number> {
  let accepted = 0;
  for (const { valid, stateBefore } of missed) {
    const received = await desk.receive({
      roomId: room.roomId,
      roomVersion: room.version.id,
      event: valid.event,
      receivedFrom: peer.serverName,
      stateBefore,
      isFinal: true,
    });
    if (received.kind === 'accepted') accepted += 1;
  }
  return accepted;
}

/** Asks one server; undefined when it gave nothing. */
async function fillFrom(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  gaps: readonly string[],
  limit: number,
): Promise<number | undefined> {
  const given = await askForHistory(desk, peer, gaps, limit);
  if (given === null || given.length === 0) return undefined;
  const events = inCausalOrder(await takeFetched(desk, room, peer, given));
  const past = await placeAll(desk, room, peer, events);
  if (past.length === 0) return undefined;
  const { history, missed } = await splitOff(desk, room, past);
  const stored = await desk.storeHistory({
    roomId: room.roomId,
    receivedFrom: peer.serverName,
    events: history.map(({ valid, stateBefore }) => ({ event: valid.event, stateBefore })),
  });
  if (isRefusal(stored)) {
    desk.log.info('history was not stored', { roomId: room.roomId, error: stored.error });
    return undefined;
  }
  return stored.events + (await receiveMissed(desk, room, peer, missed));
}

/**
 * Fetches history, one request at a time for a room: whoever asks meanwhile gets the answer to the one that is under way.
 */
export function createBackfill(desk: ReceiverDesk, clock: Clock): (input: Backfill) => Promise<Filled> {
  const underWay = new Map<string, Promise<Filled>>();
  /** By room, the monotonic time at which nobody had anything. */
  const failures = new LRUCache<string, number>({ max: FAILURES_REMEMBERED_MAX });

  async function fill({ roomId, limit, fromDepth }: Backfill): Promise<Filled> {
    const room = await findOpenRoom(desk, roomId, desk.serverName);
    if (isRefusal(room)) return room;
    const from = fromDepth ?? Number.MAX_SAFE_INTEGER;
    const gaps = await readHistoryGaps(desk.db, room.roomNid, from, GAPS_ASKED_MAX);
    if (gaps.length === 0) return { ...NOTHING, isAll: true };
    // Each piece of history would bring all members once more, which are on their way. Whoever asks may know already that they have come.
    if ((await findPartialRoom(desk.db, roomId)) !== undefined) return NOTHING;
    const failedMs = failures.get(roomId);
    if (failedMs !== undefined && clock.monotonic() - failedMs < FAILURE_PAUSE_MS) return NOTHING;
    const inRoom = await desk.caches.get(hostsInRoom, roomId);
    const others = inRoom.filter((server) => server !== desk.serverName);
    const wanted = Math.min(limit, HISTORY_EVENTS_MAX);
    const ids = gaps.map(({ eventId }) => eventId);
    for (const serverName of others.slice(0, SERVERS_ASKED_MAX)) {
      const events = await fillFrom(desk, room, { serverName, roomId }, ids, wanted);
      if (events !== undefined && events > 0) return { kind: 'filled', events, isAll: false };
    }
    failures.set(roomId, clock.monotonic());
    return NOTHING;
  }

  return async (input) => {
    const key = `${input.roomId} ${input.fromDepth ?? ''}`;
    const known = underWay.get(key);
    if (known !== undefined) return known;
    const filling = fill(input);
    underWay.set(key, filling);
    try {
      return await filling;
    } finally {
      underWay.delete(key);
    }
  };
}
