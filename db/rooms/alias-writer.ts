import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { insertAlias } from './writer.ts';

/** The refusals of the guards below. */
export type AliasGuard = 'alias-is-taken' | 'alias-is-elsewhere';

type OfRoom = { readonly roomNid: number };
type OfAlias = { readonly alias: string };

export const deleteAliasOfRoom = defineQuery<OfRoom & OfAlias>({
  name: 'rooms.delete-alias',
  sql: 'DELETE FROM room_aliases WHERE alias = :alias AND room_nid = :roomNid',
});

export const moveAliasesOfRoom = defineQuery<OfRoom & { readonly fromRoomNid: number }>({
  name: 'rooms.move-aliases',
  sql: 'UPDATE room_aliases SET room_nid = :roomNid WHERE room_nid = :fromRoomNid',
});

export const updateIsPublic = defineQuery<OfRoom & { readonly isPublic: number }>({
  name: 'rooms.update-is-public',
  sql: 'UPDATE rooms SET is_public = :isPublic WHERE room_nid = :roomNid',
});

/** The step that points a new alias at a room. Guard: `alias-is-taken`. */
export function storeAlias(roomNid: number, alias: string, creator: string): WriteStep[] {
  const guard = { expectChanges: 1, refusal: 'alias-is-taken' satisfies AliasGuard };
  return [step(insertAlias, { roomNid, alias, creator }, guard)];
}

/** The step that takes an alias away from a room. Guard: `alias-is-elsewhere`. */
export function deleteAlias(roomNid: number, alias: string): WriteStep[] {
  const guard = { expectChanges: 1, refusal: 'alias-is-elsewhere' satisfies AliasGuard };
  return [step(deleteAliasOfRoom, { roomNid, alias }, guard)];
}

/** The steps that make one room the successor of another in the directory: its aliases, and its place in the public list. */
export function succeedInDirectory(roomNid: number, fromRoomNid: number): WriteStep[] {
  return [
    step(moveAliasesOfRoom, { roomNid, fromRoomNid }),
    step(updateIsPublic, { roomNid: fromRoomNid, isPublic: 0 }),
  ];
}
