import { hostsOfRoom, readHostsOfRoom } from '../../db/rooms/hosts-reader.ts';
import { selectPartialRoom } from '../../db/rooms/partial-reader.ts';
import { defineCache } from '../streams/cache.ts';

/** Host names that may stand in memory, over all rooms. */
const HOSTS_MAX = 100_000;

/** Room id → the servers that have a joined user in it, or were named as having one while its members are not all known; this one included. */
export const hostsInRoom = defineCache<string, readonly string[]>({
  name: 'hosts-in-room',
  sizeMax: HOSTS_MAX,
  size: (hosts) => hosts.length + 1,
  load: readHostsOfRoom,
  reads: [hostsOfRoom, selectPartialRoom],
  dependsOn: {
    membership: (fact) => [fact.roomId],
    'room-state': (fact) => (fact.type === 'm.room.member' ? [fact.roomId] : []),
    'room-changed': (fact) => [fact.roomId],
  },
});
