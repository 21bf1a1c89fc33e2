import type { ReadDb } from '../../../db/kit/read-db.ts';
import { readEvents, type StoredEvent } from '../../../db/rooms/event-reader.ts';
import { edgeIds, type Pdu } from '../../matrix/events/pdu.ts';

/** Events that are looked at for one that is given: hidden ones are passed. */
const LOOKED_AT_FACTOR = 4;
/** Ids that one step of a walk looks at. */
const STEP_MAX = 200;

/** True for what no other server is given: its authorisation failed here. */
export function isRefused({ rejection }: StoredEvent): boolean {
  return rejection?.startsWith('rejected') === true;
}

function previousOf(event: StoredEvent): readonly string[] {
  return edgeIds((JSON.parse(event.pdu) as Pdu).prev_events);
}

function byAge(left: StoredEvent, right: StoredEvent): number {
  return left.depth - right.depth || (left.streamOrdering ?? 0) - (right.streamOrdering ?? 0);
}

/**
 * Walks from events back along their prev_events, breadth first. Events that `isGiven` says no to are passed, and so are those that
 * were refused here.
 *
 * @param from where it begins; these are given, too
 * @param stopAt neither given nor passed
 * @returns at most `limit` events of the room, the oldest first
 */
export async function walkBack(
  db: ReadDb,
  roomId: string,
  walk: {
    readonly from: readonly string[];
    readonly stopAt: ReadonlySet<string>;
    readonly limit: number;
    readonly isGiven: (event: StoredEvent) => boolean;
  },
): Promise<readonly StoredEvent[]> {
  const { stopAt, limit, isGiven } = walk;
  const seen = new Set<string>();
  const given: StoredEvent[] = [];
  let level = walk.from;
  while (level.length > 0 && given.length < limit && seen.size < limit * LOOKED_AT_FACTOR) {
    const fresh = [...new Set(level)].filter((id) => !seen.has(id) && !stopAt.has(id)).slice(0, STEP_MAX);
    for (const id of fresh) seen.add(id);
    const events = await readEvents(db, fresh);
    const next: string[] = [];
    // The deepest first: they are the nearest.
    for (const event of [...events.values()].toSorted((left, right) => byAge(right, left))) {
      if (event.roomId !== roomId || given.length >= limit) continue;
      // Outside of the graph nothing is known of what came before.
      if (event.stateGroup === null) continue;
      if (!isRefused(event) && isGiven(event)) given.push(event);
      next.push(...previousOf(event));
    }
    level = next;
  }
  return given.toSorted(byAge);
}
