import { Type } from 'typebox';
import type { PublicRoomsPage } from '../../../directory/public-rooms.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** A page of the public directory. */
export const PUBLIC_ROOMS_REPLY = Type.Object({
  chunk: Type.Array(ANY_OBJECT),
  next_batch: Type.Optional(Type.String()),
  prev_batch: Type.Optional(Type.String()),
  total_room_count_estimate: Type.Optional(Type.Integer()),
});

/** The body of an answer with a page of the public directory. */
export function toPageBody(page: PublicRoomsPage): Omit<PublicRoomsPage, 'kind' | 'chunk'> & {
  readonly chunk: PublicRoomsPage['chunk'][number][];
} {
  const { kind: _, chunk, ...tokens } = page;
  return { chunk: [...chunk], ...tokens };
}
