import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { findCurrentStateEvent } from '../../../../db/rooms/state-reader.ts';
import { isJsonObject } from '../../../kit/json.ts';
import { NO_GUESTS } from '../../../matrix/account-refusals.ts';
import type { Refusal } from '../../../matrix/refusal.ts';

/**
 * Keeps a guest out of a room whose `m.room.guest_access` does not say `can_join`; a room that is not known is one of those.
 * Client-Server API v1.19, "Guest Access", "Server behaviour".
 */
export async function checkGuestAccess(db: ReadDb, roomId: string): Promise<Refusal | undefined> {
  const event = await findCurrentStateEvent(db, roomId, 'm.room.guest_access', '');
  if (event === undefined) return NO_GUESTS;
  const { content } = JSON.parse(event.pdu) as { readonly content?: unknown };
  return isJsonObject(content) && content['guest_access'] === 'can_join' ? undefined : NO_GUESTS;
}
