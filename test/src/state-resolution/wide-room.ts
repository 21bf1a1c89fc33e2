import type { TestDatabase } from '../../support/database.ts';
import { CREATOR, type ForkedRoom, startForkedRoom } from './forked-room.ts';
import { furnish } from './random-room.ts';

/** A room with two branches that disagree about `places` entries of the state; flushed. */
export async function makeWideRoom(
  database: TestDatabase,
  versionId: string,
  places: number,
): Promise<{ readonly room: ForkedRoom; readonly ends: readonly [string, string] }> {
  const room = startForkedRoom(database, versionId);
  furnish(room);
  const root = room.newest;
  const branch = (ts: number): string => {
    let last = root;
    for (let index = 0; index < places; index += 1)
      last = room.add({
        type: 'test.entry',
        stateKey: `key ${index}`,
        sender: CREATOR,
        prev: [last],
        ts,
      });
    return last;
  };
  const ends = [branch(1), branch(2)] as const;
  await room.flush();
  return { room, ends: [ends[0], ends[1]] };
}
