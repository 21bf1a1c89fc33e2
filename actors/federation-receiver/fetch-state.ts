import { readStoredIds } from '../../db/rooms/gap-reader.ts';
import { readAcceptedIds } from '../../db/rooms/out-of-band-reader.ts';
import { readEvents } from '../../db/rooms/event-reader.ts';
import { askForState, askForStateIds, type Peer } from './ask-peer.ts';
import { FETCHED_SINGLY_MAX, fetchSingly, storeFetched } from './fetch-events.ts';
import type { ReceiverDesk, RoomAtHand } from './receiver-desk.ts';
import { takeFetched } from './take-fetched.ts';

/** Ids that one query reads the events of. */
const READ_AT_ONCE = 500;

/** Of ids that a peer calls a state, those that may be in one: accepted state events of the room, one for each place. */
async function placesOf(
  desk: ReceiverDesk,
  room: RoomAtHand,
  eventIds: readonly string[],
): Promise<readonly string[] | null> {
  const places = new Map<string, string>();
  for (let start = 0; start < eventIds.length; start += READ_AT_ONCE) {
    const some = eventIds.slice(start, start + READ_AT_ONCE);
    const accepted = await readAcceptedIds(desk.db, room.roomNid, some);
    for (const event of (await readEvents(desk.db, some)).values()) {
      if (event.stateKey === null || !accepted.has(event.eventId)) continue;
      places.set(`${event.type}\u0000${event.stateKey}`, event.eventId);
    }
  }
  // No state of a room is without the event that made it.
  return places.has('m.room.create\u0000') ? [...places.values()] : null;
}

/**
 * Fetches the state before an event, and stores what of it is not known, outside of the timeline. Server-Server API v1.19, "Retrieving
 * events", `GET /state_ids/{roomId}`, `GET /state/{roomId}`.
 *
 * @returns the ids of the state, all of them stored and accepted; null when it cannot be had
 */
export async function fetchStateBefore(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  eventId: string,
): Promise<readonly string[] | null> {
  const ids = await askForStateIds(desk, peer, eventId);
  if (ids === null) return null;
  const all = [...new Set([...ids.state, ...ids.authChain])];
  const stored = await readStoredIds(desk.db, all);
  const missing = all.filter((id) => !stored.has(id));
  if (missing.length > FETCHED_SINGLY_MAX) {
    const whole = await askForState(desk, peer, eventId);
    if (whole === null) return null;
    const wanted = new Set(missing);
    const events = await takeFetched(desk, room, peer, [...whole.authChain, ...whole.state]);
    const fresh = events.filter(({ event }) => wanted.has(event.eventId));
    await storeFetched(desk, room, peer, fresh);
  } else if (missing.length > 0) {
    await storeFetched(desk, room, peer, await fetchSingly(desk, room, peer, missing));
  }
  return placesOf(desk, room, ids.state);
}
