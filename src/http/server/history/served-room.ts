import { findEvent, type StoredEvent } from '../../../../db/rooms/event-reader.ts';
import { mayTakePart } from '../../../federation/server-acl.ts';
import {
  isServerInRoom,
  type SightServices,
  visibleToServer,
  wasServerJoined,
} from '../../../federation/visible-to-server.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** What a server is told that may not read a room: nobody learns from it whether the room, or the event, exists. */
export function notForServer(): Refusal {
  return refuse('M_FORBIDDEN', 'Your server is not in this room.');
}

/**
 * Refuses with M_FORBIDDEN a server that has no user in the room now, or that the room's access control list shuts out.
 * Server-Server API v1.19, "Server Access Control Lists (ACLs)".
 */
export async function refuseOutsider(
  services: SightServices,
  roomId: string,
  serverName: string,
): Promise<Refusal | undefined> {
  if (!(await mayTakePart(services.cached, roomId, serverName)))
    return refuse('M_FORBIDDEN', `${serverName} is shut out of this room.`);
  return (await isServerInRoom(services, roomId, serverName)) ? undefined : notForServer();
}

/**
 * An event about which a server may ask more: it is in the room, or it was when the event was sent, or the event is about its own user: whoever
 * is made to leave gets that event and may look at what came before.
 *
 * @returns refused with M_FORBIDDEN, or M_NOT_FOUND towards who may know
 */
export async function findAskedEvent(
  services: SightServices,
  roomId: string,
  eventId: string,
  serverName: string,
): Promise<StoredEvent | Refusal> {
  if (!(await mayTakePart(services.cached, roomId, serverName)))
    return refuse('M_FORBIDDEN', `${serverName} is shut out of this room.`);
  const event = await findEvent(services.db, eventId);
  const isOfRoom = event !== undefined && event.roomId === roomId;
  if (await isServerInRoom(services, roomId, serverName))
    return isOfRoom ? event : refuse('M_NOT_FOUND', 'The event is not known here.');
  return isOfRoom && (await mayAsk(services, event, serverName)) ? event : notForServer();
}

/** Whether a server that is not in the room now had a user there. */
async function mayAsk(services: SightServices, event: StoredEvent, serverName: string): Promise<boolean> {
  if (await wasServerJoined(services, event, serverName)) return true;
  const { content } = JSON.parse(event.pdu) as { readonly content?: { readonly membership?: unknown } };
  const isEnd = content?.membership === 'leave' || content?.membership === 'ban';
  if (event.type !== 'm.room.member' || !isEnd || event.rejection !== null) return false;
  return (await visibleToServer(services, serverName, [event])).length > 0 && event.stateGroup !== null;
}
