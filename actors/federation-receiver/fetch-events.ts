import { readStoredIds } from '../../db/rooms/gap-reader.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { createTurns } from '../turns.ts';
import { askForAuthChain, askForEvent, type Peer } from './ask-peer.ts';
import type { ValidEvent } from './event-order.ts';
import type { ReceiverDesk, RoomAtHand } from './receiver-desk.ts';
import { takeFetched } from './take-fetched.ts';
import { edgeIds } from '../../src/matrix/events/pdu.ts';

/** Events that are asked for one by one; for more of them the whole is asked for. */
export const FETCHED_SINGLY_MAX = 20;
/** How many of those are asked for at the same time. */
const ASKED_AT_ONCE = 4;

/** Asks for events one by one; those that a peer does not give are missing. */
export async function fetchSingly(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  eventIds: readonly string[],
): Promise<readonly ValidEvent[]> {
  const wanted = [...new Set(eventIds)].slice(0, FETCHED_SINGLY_MAX);
  const turns = createTurns(ASKED_AT_ONCE);
  const given = await Promise.all(wanted.map((eventId) => turns.run(() => askForEvent(desk, peer, eventId))));
  const events = given.filter((event): event is JsonObject => event !== undefined);
  const valid = await takeFetched(desk, room, peer, events);
  const ids = new Set(wanted);
  return valid.filter(({ event }) => ids.has(event.eventId));
}

/** Stores events outside of the timeline; those that were known stay what they were. */
export async function storeFetched(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  events: readonly ValidEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const { roomId } = room;
  await desk.storeOutliers({
    roomId,
    events: events.map(({ event }) => event),
    receivedFrom: peer.serverName,
  });
}

/**
 * Fetches what authorises an event: its whole auth chain, and then, one by one, what is missing still. What cannot be had is missing
 * afterwards. Server-Server API v1.19, "Retrieving event authorisation".
 */
export async function fetchAuthEvents(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  valid: ValidEvent,
): Promise<void> {
  const authIds = edgeIds(valid.pdu.auth_events);
  const chain = await askForAuthChain(desk, peer, valid.event.eventId);
  const events = await takeFetched(desk, room, peer, chain);
  const isOf = new Set(authIds);
  for (const event of events) for (const id of edgeIds(event.pdu.auth_events)) isOf.add(id);
  // Only what stands in the chain: a peer could give anything.
  await storeFetched(
    desk,
    room,
    peer,
    events.filter(({ event }) => isOf.has(event.eventId)),
  );
  const stored = await readStoredIds(desk.db, authIds);
  const missing = authIds.filter((id) => !stored.has(id));
  if (missing.length > 0) await storeFetched(desk, room, peer, await fetchSingly(desk, room, peer, missing));
}
