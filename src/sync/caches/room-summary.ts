import { hostsOfRoom } from '../../../db/rooms/hosts-reader.ts';
import { countMembers, countMembersOfRoom } from '../../../db/rooms/member-reader.ts';
import { selectPartialRoom } from '../../../db/rooms/partial-reader.ts';
import { findCurrentStateEntry, findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { isJsonObject } from '../../kit/json.ts';
import { defineCache } from '../../streams/cache.ts';

/** What the summary of a room says to everyone in it. */
export interface RoomCounts {
  readonly joined: number;
  readonly invited: number;
  /** It has a name or a canonical alias, so that no heroes are needed. */
  readonly isNamed: boolean;
}

const ROOM_SUMMARIES_MAX = 20_000;

const SUMMARY_TYPES: ReadonlySet<string> = new Set([
  'm.room.member',
  'm.room.name',
  'm.room.canonical_alias',
]);

async function hasText(db: ReadDb, roomId: string, type: string, field: string): Promise<boolean> {
  const event = await findCurrentStateEvent(db, roomId, type, '');
  if (event === undefined || event.redactedBy !== null) return false;
  const { content } = JSON.parse(event.pdu) as { readonly content?: unknown };
  const value = isJsonObject(content) ? content[field] : undefined;
  return typeof value === 'string' && value !== '';
}

/** Counts of members of a room, by room id. */
export const roomSummaryCache = defineCache<string, RoomCounts>({
  name: 'room-summary',
  sizeMax: ROOM_SUMMARIES_MAX,
  async load(db, roomId) {
    const counts = await countMembers(db, roomId);
    const isNamed =
      (await hasText(db, roomId, 'm.room.name', 'name')) ||
      (await hasText(db, roomId, 'm.room.canonical_alias', 'alias'));
    return { joined: counts.joined, invited: counts.invited, isNamed };
  },
  reads: [countMembersOfRoom, hostsOfRoom, selectPartialRoom, findCurrentStateEntry],
  dependsOn: {
    'room-state': (fact) => (SUMMARY_TYPES.has(fact.type) ? [fact.roomId] : []),
    membership: (fact) => [fact.roomId],
    'room-changed': (fact) => [fact.roomId],
    event: (fact) => [fact.roomId],
  },
});
