import { findEvent, type StoredEvent } from '../../db/rooms/event-reader.ts';
import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { Peer } from './ask-peer.ts';
import type { ValidEvent } from './event-order.ts';
import { fetchAuthEvents, fetchSingly, storeFetched } from './fetch-events.ts';
import { fetchStateBefore } from './fetch-state.ts';
import type { FederationReceiverProtocol } from './protocol.ts';
import { findOpenRoom, type ReceiverDesk, type RoomAtHand } from './receiver-desk.ts';

/** Servers that are asked for one event. */
export const SERVERS_ASKED_MAX = 5;

type FetchEvent = InputOf<FederationReceiverProtocol, 'federation-receiver.fetch-event'>;

/** Puts an event into the timeline's past: who may see it is told by the state before it. */
async function placeInPast(
  desk: ReceiverDesk,
  room: RoomAtHand,
  peer: Peer,
  { event }: ValidEvent,
): Promise<void> {
  const stateBefore = await fetchStateBefore(desk, room, peer, event.eventId);
  if (stateBefore === null) return;
  const events = [{ event, stateBefore }];
  const stored = await desk.storeHistory({ roomId: room.roomId, receivedFrom: peer.serverName, events });
  if (isRefusal(stored))
    desk.log.info('an event of the past was not placed', { eventId: event.eventId, error: stored.error });
}

/**
 * Fetches one event that this server does not have, with what authorises it, into the timeline's past; outside of it where the state before it
 * cannot be had.
 *
 * @returns refused with M_NOT_FOUND when this server is not in the room, or nobody who was asked has it
 */
export async function fetchEvent(
  desk: ReceiverDesk,
  { roomId, eventId, via }: FetchEvent,
): Promise<{ readonly kind: 'fetched' } | Refusal> {
  const room = await findOpenRoom(desk, roomId, desk.serverName);
  if (isRefusal(room)) return room;
  const findIt = async (): Promise<StoredEvent | undefined> => {
    const found = await findEvent(desk.db, eventId);
    return found?.roomId === roomId ? found : undefined;
  };
  const known = await findIt();
  if (known !== undefined && known.streamOrdering !== null) return { kind: 'fetched' };
  const inRoom = await desk.caches.get(hostsInRoom, roomId);
  const servers = [...new Set([...via, ...inRoom])].filter((server) => server !== desk.serverName);
  for (const serverName of servers.slice(0, SERVERS_ASKED_MAX)) {
    const peer = { serverName, roomId };
    const [event] = await fetchSingly(desk, room, peer, [eventId]);
    if (event === undefined) continue;
    await fetchAuthEvents(desk, room, peer, event);
    await storeFetched(desk, room, peer, [event]);
    await placeInPast(desk, room, peer, event);
    if ((await findIt()) !== undefined) return { kind: 'fetched' };
  }
  if (known !== undefined) return { kind: 'fetched' };
  return refuse('M_NOT_FOUND', `no server that was asked has ${eventId}`);
}
