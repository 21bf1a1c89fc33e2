import { readRoomChanges } from '../../db/rooms/sync-reader.ts';
import { BEGINNING } from './sync-range.ts';
import type { ReadServices } from './sync-services.ts';

/**
 * Where this server's stay in a room began, the one that a position lies in: before it are an earlier stay and a gap of which nothing is
 * known. Nothing of the stay has this position itself.
 *
 * @returns a position of the events stream; {@link BEGINNING} where the server was in the room from its first event on
 */
export async function findStayStart(services: ReadServices, roomId: string, to: number): Promise<number> {
  const changes = await readRoomChanges(services.db, roomId, BEGINNING, to);
  return changes.findLast(({ change }) => change === 'joined')?.position ?? BEGINNING;
}
