import { readPublicRoomIds, readPublicRoomPage } from '../../../db/rooms/directory-reader.ts';
import { defineCache } from '../../streams/cache.ts';

/** The only key: of the whole directory. */
export const ALL_PUBLIC_ROOMS = 'all';

/** Events of a room that come with another place of it in the directory: a new one may stand there, one that was replaced does not. */
const LISTING_TYPES: ReadonlySet<string> = new Set(['m.room.create', 'm.room.tombstone']);

/** The ids of the rooms of the public directory. */
export const publicRoomsCache = defineCache<typeof ALL_PUBLIC_ROOMS, readonly string[]>({
  name: 'public-rooms',
  sizeMax: 1,
  load: (db) => readPublicRoomIds(db),
  reads: [readPublicRoomPage],
  dependsOn: {
    'room-listing': () => [ALL_PUBLIC_ROOMS],
    'room-state': (fact) => (LISTING_TYPES.has(fact.type) ? [ALL_PUBLIC_ROOMS] : []),
  },
});
