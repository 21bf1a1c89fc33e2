import { readRoomsOfUser, readRoomsOfUserQuery, type RoomOfUser } from '../../../db/rooms/sync-reader.ts';
import { defineCache } from '../../streams/cache.ts';

/** Memberships kept in memory over all users. */
const ROOMS_OF_USER_MEMBERSHIPS_MAX = 500_000;

/** The rooms of a local user, forgotten ones included, by user id. */
export const roomsOfUserCache = defineCache<string, readonly RoomOfUser[]>({
  name: 'rooms-of-user',
  sizeMax: ROOMS_OF_USER_MEMBERSHIPS_MAX,
  size: (rooms) => rooms.length + 1,
  load: (db, userId) => readRoomsOfUser(db, userId),
  reads: [readRoomsOfUserQuery],
  dependsOn: {
    membership: (fact) => [fact.userId],
    'room-changed': (fact) => fact.members,
  },
});
