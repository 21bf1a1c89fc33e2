import { type LocalMember, readLocalMembersQuery } from '../../../db/push/event-reader.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { findCurrentStateEntry, findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import type { Pdu } from '../../matrix/events/pdu.ts';
import { redact } from '../../matrix/events/redaction.ts';
import { type PowerLevels, powerLevels } from '../../matrix/rooms/power-levels.ts';
import { getRoomVersion } from '../../matrix/rooms/room-versions.ts';
import { defineCache } from '../../streams/cache.ts';

/** Local members kept in memory over all rooms. */
const LOCAL_MEMBERS_MAX = 500_000;
const ROOM_LEVELS_MAX = 20_000;

/** The local users who have joined a room, by room id. */
export const localMembersCache = defineCache<string, readonly LocalMember[]>({
  name: 'local-members',
  sizeMax: LOCAL_MEMBERS_MAX,
  size: (members) => members.length + 1,
  load: (db, roomId) => db.all(readLocalMembersQuery, { roomId }),
  reads: [readLocalMembersQuery],
  dependsOn: {
    membership: (fact) => [fact.roomId],
    'room-changed': (fact) => [fact.roomId],
  },
});

async function findStatePdu(db: ReadDb, roomId: string, type: string): Promise<Pdu | undefined> {
  const event = await findCurrentStateEvent(db, roomId, type, '');
  if (event === undefined) return undefined;
  const pdu = JSON.parse(event.pdu) as Pdu;
  return event.redactedBy === null ? pdu : redact(getRoomVersion(event.roomVersion), pdu);
}

/** The power levels of a room, by room id; null for a room without a create event: one that this server is only invited to. */
export const roomLevelsCache = defineCache<string, PowerLevels | null>({
  name: 'room-levels',
  sizeMax: ROOM_LEVELS_MAX,
  async load(db, roomId) {
    const create = await findCurrentStateEvent(db, roomId, 'm.room.create', '');
    if (create === undefined) return null;
    const levels = await findStatePdu(db, roomId, 'm.room.power_levels');
    return powerLevels(getRoomVersion(create.roomVersion), JSON.parse(create.pdu) as Pdu, levels);
  },
  reads: [findCurrentStateEntry],
  dependsOn: {
    'room-state': (fact) =>
      fact.type === 'm.room.power_levels' || fact.type === 'm.room.create' ? [fact.roomId] : [],
    'room-changed': (fact) => [fact.roomId],
    event: (fact) => [fact.roomId],
  },
});
