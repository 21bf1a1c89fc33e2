import { readCurrentState } from '../../../../db/rooms/state-reader.ts';
import { eventText, findClientEvent } from '../../../sync/event-text.ts';
import { readStateAtPosition } from '../../../sync/room-state.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import type { RoomAccess } from './room-access.ts';

/** The texts of the whole state of a room that a user may read: the present one, or that of when the user left it. */
export async function stateTextsOf(
  services: ReadServices,
  caller: SyncCaller,
  roomId: string,
  access: RoomAccess,
): Promise<readonly string[]> {
  const entries =
    access.stateAt === null
      ? await readCurrentState(services.db, roomId)
      : await readStateAtPosition(services, roomId, access.stateAt);
  const texts: string[] = [];
  for (const { eventId } of entries) {
    const event = await findClientEvent(services, eventId);
    // The room may be deleted meanwhile.
    if (event !== undefined) texts.push(await eventText(services, caller, event, { includeRoomId: true }));
  }
  return texts;
}
