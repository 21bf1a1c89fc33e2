import type { ReadDb } from '../../db/kit/read-db.ts';
import { findEvent } from '../../db/rooms/event-reader.ts';
import { readHostsOfRoom } from '../../db/rooms/hosts-reader.ts';
import { findLocalMembership } from '../../db/rooms/membership-reader.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { parseServerName } from '../../src/matrix/identifiers/server-name.ts';

/** Servers that are asked for one membership. */
export const CANDIDATES_MAX = 10;

/** The servers that an invite or a knock of the user has come through, or gone to. */
async function serversOfMembership(db: ReadDb, roomId: string, userId: string): Promise<string[]> {
  const standing = await findLocalMembership(db, userId, roomId);
  if (standing?.membership !== 'invite' && standing?.membership !== 'knock') return [];
  const event = await findEvent(db, standing.eventId);
  return [domainOf(standing.sender), event?.receivedFrom].filter((server) => typeof server === 'string');
}

/**
 * The servers that can help a local user with a room, the likeliest first: those that the user's client names, those that the invite came
 * from, who is in the room as far as is known here, and who has made its id.
 */
export async function findCandidates(
  db: ReadDb,
  ownName: string,
  {
    roomId,
    userId,
    via,
  }: { readonly roomId: string; readonly userId: string; readonly via: readonly string[] },
): Promise<readonly string[]> {
  const known = await serversOfMembership(db, roomId, userId);
  const hosts = await readHostsOfRoom(db, roomId);
  const maker = domainOf(roomId);
  const all = new Set([...via, ...known, ...hosts, ...(maker === undefined ? [] : [maker])]);
  return [...all]
    .filter((server) => server !== ownName && parseServerName(server) !== undefined)
    .slice(0, CANDIDATES_MAX);
}
