import {
  findCompletion,
  findPartialRoom,
  selectCompletion,
  selectPartialRoom,
} from '../../../db/rooms/partial-reader.ts';
import { defineCache } from '../../streams/cache.ts';

/** Whether this server knows all members of a room. */
export interface RoomWholeness {
  /** The room was joined without its members, which come behind. MSC3902. */
  readonly isPartial: boolean;
  /** When, on the events stream, the state became whole the last time that it had not been; null: it always was. */
  readonly completedAt: number | null;
}

const ROOMS_MAX = 50_000;

/** Room id → whether its state is whole. */
export const roomWholenessCache = defineCache<string, RoomWholeness>({
  name: 'room-wholeness',
  sizeMax: ROOMS_MAX,
  async load(db, roomId) {
    const isPartial = (await findPartialRoom(db, roomId)) !== undefined;
    return { isPartial, completedAt: await findCompletion(db, roomId) };
  },
  reads: [selectPartialRoom, selectCompletion],
  dependsOn: { 'room-changed': (fact) => [fact.roomId] },
});
