import type { ReadDb } from '../../../db/kit/read-db.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import type { Pdu } from '../../matrix/events/pdu.ts';
import { STRIPPED_STATE_TYPES } from '../../matrix/events/stripped-state.ts';
import { servedPdu } from '../served-pdus.ts';

/** What tells a knocking user what the room is, as whole events. Server-Server API v1.19, `knock_room_state`. */
export async function readToldState(db: ReadDb, roomId: string): Promise<readonly Pdu[]> {
  const events = await Promise.all(
    STRIPPED_STATE_TYPES.map((type) => findCurrentStateEvent(db, roomId, type, '')),
  );
  return events.filter((event) => event !== undefined).map((event) => servedPdu(event));
}
