import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** Why nobody of this server may come into a room. */
export type RoomClosure =
  | { readonly kind: 'blocked'; readonly userId: string | null }
  /** It is being deleted: it may come again when the last of its rows is gone. */
  | { readonly kind: 'in-deletion' };

type OfRoom = { readonly roomId: string };

export const findBlock = defineQuery<OfRoom, { readonly userId: string | null }>({
  name: 'rooms.find-block',
  sql: 'SELECT user_id AS userId FROM blocked_rooms WHERE room_id = :roomId',
});

export const findDeletion = defineQuery<OfRoom, { readonly roomNid: number }>({
  name: 'rooms.find-deletion',
  sql: 'SELECT room_nid AS roomNid FROM deleted_rooms WHERE room_id = :roomId',
});

/** Why nobody of this server may come into a room; undefined where they may. */
export async function findRoomClosure(db: ReadDb, roomId: string): Promise<RoomClosure | undefined> {
  const block = await db.find(findBlock, { roomId });
  if (block !== undefined) return { kind: 'blocked', userId: block.userId };
  return (await db.find(findDeletion, { roomId })) === undefined ? undefined : { kind: 'in-deletion' };
}
