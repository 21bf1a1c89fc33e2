import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { Received } from '../rooms/protocol.ts';
import type { Peer } from './ask-peer.ts';
import type { ValidEvent } from './event-order.ts';
import { fetchAuthEvents } from './fetch-events.ts';
import { fetchStateBefore } from './fetch-state.ts';
import { fetchGap } from './fill-gap.ts';
import type { ReceiverDesk, RoomAtHand } from './receiver-desk.ts';

/** Whole states that the events of one room may make us fetch, for each transaction. */
export const STATES_FETCHED_MAX = 6;
/** Auth chains, likewise. */
export const AUTH_CHAINS_FETCHED_MAX = 20;
/** Gaps that are filled, likewise; an event behind a further one is left out. */
export const GAPS_FILLED_MAX = 10;

type Missing = Extract<Received, { readonly kind: 'missing' }>;

/** What may still be asked of a peer. */
export interface FetchBudget {
  states: number;
  authChains: number;
  gaps: number;
}

/** Where an event comes from, whether it goes on to others from here, and what may be asked for it. */
export interface Reception {
  readonly room: RoomAtHand;
  readonly peer: Peer;
  readonly isRelayed: boolean;
  readonly budget: FetchBudget;
}

/** What one event, or those of one transaction, may make us ask. */
export function newBudget(): FetchBudget {
  return { states: STATES_FETCHED_MAX, authChains: AUTH_CHAINS_FETCHED_MAX, gaps: GAPS_FILLED_MAX };
}

function isMissing(received: Received | Refusal): received is Missing {
  return !isRefusal(received) && received.kind === 'missing';
}

function give(
  desk: ReceiverDesk,
  { room, peer, isRelayed }: Reception,
  { event }: ValidEvent,
  stateBefore: readonly string[] | null,
  isFinal: boolean,
): Promise<Received | Refusal> {
  const { roomId } = room;
  const receivedFrom = peer.serverName;
  return desk.receive({
    roomId,
    roomVersion: room.version.id,
    event,
    receivedFrom,
    stateBefore,
    isFinal,
    ...(isRelayed && { isRelayed: true }),
  });
}

/** Fetches what authorises an event, and the state before it where events before it cannot be had; then it is decided, whatever is missing. */
async function settle(
  desk: ReceiverDesk,
  reception: Reception,
  valid: ValidEvent,
  first: Missing,
): Promise<Received | Refusal> {
  const { room, peer, budget } = reception;
  if (first.authEvents.length > 0 && budget.authChains > 0) {
    budget.authChains -= 1;
    await fetchAuthEvents(desk, room, peer, valid);
  }
  if (first.prevEvents.length === 0) return give(desk, reception, valid, null, true);
  if (budget.states === 0) return first;
  budget.states -= 1;
  const state = await fetchStateBefore(desk, room, peer, valid.event.eventId);
  return state === null ? first : give(desk, reception, valid, state, true);
}

/** Takes in events that came before the one that was given, oldest first, each with what it needs. */
async function receiveGap(
  desk: ReceiverDesk,
  reception: Reception,
  events: readonly ValidEvent[],
): Promise<void> {
  for (const valid of events) {
    // What comes before is no news to the others: only the event itself goes on to them.
    const past = { ...reception, isRelayed: false };
    const received = await give(desk, past, valid, null, false);
    if (isMissing(received)) await settle(desk, past, valid, received);
  }
}

/**
 * Takes in one valid event, with what it needs: first the events before it, then what authorises it, and where the gap stays the state
 * before it. All of it is asked of the server that gave the event, and bounded.
 *
 * @returns what became of it; `missing` when it could not be placed
 */
export async function receiveValid(
  desk: ReceiverDesk,
  reception: Reception,
  valid: ValidEvent,
): Promise<Received | Refusal> {
  const first = await give(desk, reception, valid, null, false);
  return isMissing(first) ? receiveMissing(desk, reception, valid, first) : first;
}

/** The same for an event of which `rooms` has said already what it misses. */
export async function receiveMissing(
  desk: ReceiverDesk,
  reception: Reception,
  valid: ValidEvent,
  first: Missing,
): Promise<Received | Refusal> {
  const { room, peer, budget } = reception;
  if (first.prevEvents.length === 0) return settle(desk, reception, valid, first);
  if (budget.gaps === 0) return first;
  budget.gaps -= 1;
  // One state is kept for the event itself.
  const kept = Math.min(budget.states, 1);
  budget.states -= kept;
  await receiveGap(desk, reception, await fetchGap(desk, room, peer, valid));
  budget.states += kept;
  const second = await give(desk, reception, valid, null, false);
  return isMissing(second) ? settle(desk, reception, valid, second) : second;
}
