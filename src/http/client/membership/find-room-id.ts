import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { findAlias } from '../../../../db/rooms/room-reader.ts';
import { parseRoomAlias } from '../../../matrix/identifiers/room-alias.ts';
import { parseRoomId } from '../../../matrix/identifiers/room-id.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** A room that was named. */
export interface NamedRoom {
  readonly kind: 'room';
  readonly roomId: string;
}

/**
 * The room that an id or an alias of this server names; whether there is a room with the id is not looked at.
 *
 * @returns refused with M_INVALID_PARAM for what is neither, M_NOT_FOUND for an alias that points nowhere
 */
export async function findRoomId(db: ReadDb, idOrAlias: string): Promise<NamedRoom | Refusal> {
  if (parseRoomId(idOrAlias) !== undefined) return { kind: 'room', roomId: idOrAlias };
  if (parseRoomAlias(idOrAlias) === undefined)
    return refuse('M_INVALID_PARAM', 'The path names neither a room id nor a room alias.');
  const alias = await findAlias(db, idOrAlias);
  if (alias === undefined) return refuse('M_NOT_FOUND', 'No room has this alias.');
  return { kind: 'room', roomId: alias.roomId };
}
