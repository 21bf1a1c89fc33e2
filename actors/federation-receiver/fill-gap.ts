import { findOldestDepth, readStoredIds } from '../../db/rooms/gap-reader.ts';
import { readExtremities } from '../../db/rooms/head-reader.ts';
import { edgeIds } from '../../src/matrix/events/pdu.ts';
import { askForMissing, type Peer } from './ask-peer.ts';
import { inCausalOrder, type ValidEvent } from './event-order.ts';
import type { ReceiverDesk, RoomAtHand } from './receiver-desk.ts';
import { takeFetched } from './take-fetched.ts';

/** Events that are asked for at once. */
export const MISSING_ASKED_MAX = 50;
/** How often a peer is asked on for one event. */
export const MISSING_ROUNDS_MAX = 4;

/** The prev_events of some events that are neither stored nor among them. */
async function unknownPrevious(
  desk: ReceiverDesk,
  events: readonly ValidEvent[],
): Promise<ReadonlySet<string>> {
  const own = new Set(events.map(({ event }) => event.eventId));
  const named = new Set(events.flatMap(({ pdu }) => edgeIds(pdu.prev_events)));
  const stored = await readStoredIds(desk.db, [...named]);
  return new Set([...named].filter((id) => !own.has(id) && !stored.has(id)));
}

/**
 * Fetches the events between the newest that this server has and one that it was given, as far as a peer gives them within a few
 * questions. Server-Server API v1.19, "Backfilling and retrieving missing events".
 *
 * @returns those that are valid, the oldest first, without the event itself
 */
export async function fetchGap(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  latest: ValidEvent,
): Promise<readonly ValidEvent[]> {
  const earliest = (await readExtremities(desk.db, room.roomNid)).map(({ eventId }) => eventId);
  const minDepth = Math.max(0, (await findOldestDepth(desk.db, room.roomNid)) ?? 0);
  const found = new Map<string, ValidEvent>();
  let heads: readonly ValidEvent[] = [latest];
  for (let round = 0; round < MISSING_ROUNDS_MAX; round += 1) {
    const gap = { earliest, latest: heads.map(({ event }) => event.eventId), limit: MISSING_ASKED_MAX };
    const given = await askForMissing(desk, peer, { ...gap, minDepth });
    const before = found.size;
    for (const one of await takeFetched(desk, room, peer, given))
      if (one.event.eventId !== latest.event.eventId) found.set(one.event.eventId, one);
    if (found.size === before) break;
    const all = [latest, ...found.values()];
    const unknown = await unknownPrevious(desk, all);
    if (unknown.size === 0) break;
    heads = all.filter(({ pdu }) => edgeIds(pdu.prev_events).some((id) => unknown.has(id)));
  }
  return inCausalOrder([...found.values()]);
}
