import type { Pdu } from '../matrix/events/pdu.ts';
import { createEventIdOfRoom } from '../matrix/identifiers/room-id.ts';
import type { AuthDecision } from '../matrix/rooms/auth-decision.ts';
import { checkAuthEvents } from '../matrix/rooms/auth-events.ts';
import { authorise } from '../matrix/rooms/auth-rules.ts';
import { powerLevels } from '../matrix/rooms/power-levels.ts';
import type { RoomVersion } from '../matrix/rooms/room-versions.ts';
import { stateName } from '../matrix/state-resolution/state-map.ts';
import type { EventLoader, LoadedEvent } from './event-loader.ts';

/** What an event's own auth events say about it. */
export interface AuthOfEvent {
  readonly event: LoadedEvent;
  readonly decision: AuthDecision;
  /** `Infinity` for creators from room version 12 on. */
  readonly senderLevel: number;
}

async function loadAuthEvents(
  loader: EventLoader,
  version: RoomVersion,
  room: string,
  event: LoadedEvent,
): Promise<{ readonly named: readonly LoadedEvent[]; readonly create: LoadedEvent | undefined }> {
  const authEventIds = loader.source.authEventIds(event.eventId);
  const createId = version.createInAuthEvents ? undefined : createEventIdOfRoom(room);
  await loader.loadEvents(createId === undefined ? authEventIds : [...authEventIds, createId]);
  const named = authEventIds.map((id) => loader.find(id)).filter((one) => one !== undefined);
  const create = createId === undefined ? undefined : loader.find(createId);
  return { named, create };
}

/**
 * Authorises a stored event at the state that its own auth events make, and reads its sender's level there.
 *
 * @throws Error when the event itself is not stored
 */
export async function readAuthOfEvent(
  loader: EventLoader,
  room: { readonly version: RoomVersion; readonly roomId: string },
  eventId: string,
): Promise<AuthOfEvent> {
  const { version, roomId } = room;
  await loader.loadEvents([eventId]);
  const event = loader.source.event(eventId);
  const { named, create } = await loadAuthEvents(loader, version, roomId, event);
  const state = new Map<string, Pdu>();
  for (const { pdu, isRejected } of create === undefined ? named : [...named, create]) {
    if (!isRejected) state.set(stateName(pdu.type, pdu.state_key ?? ''), pdu);
  }
  const find = (type: string, stateKey: string): Pdu | undefined => state.get(stateName(type, stateKey));
  const subject = { roomId, pdu: event.pdu };
  const choice =
    event.pdu.type === 'm.room.create'
      ? { allowed: true as const }
      : checkAuthEvents(
          version,
          subject,
          named.map(({ pdu, isRejected }) => ({ roomId: pdu.room_id ?? roomId, pdu, isRejected })),
        );
  const createPdu = event.pdu.type === 'm.room.create' ? event.pdu : find('m.room.create', '');
  return {
    event,
    decision: choice.allowed ? authorise(version, subject, { find }) : choice,
    senderLevel:
      createPdu === undefined
        ? 0
        : powerLevels(version, createPdu, find('m.room.power_levels', '')).ofUser(event.pdu.sender),
  };
}
