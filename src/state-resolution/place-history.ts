import type { ReadDb } from '../../db/kit/read-db.ts';
import { getOwnEntry, type GraphEvent, readGraphEvents } from '../../db/rooms/explain-reader.ts';
import type { StateKey } from '../matrix/rooms/auth-decision.ts';
import type { RoomVersion } from '../matrix/rooms/room-versions.ts';

/** How many events are walked back over before the search for a decision is given up. */
export const WALK_EVENTS_MAX = 10_000;

/** A state whose history is searched: that after an event, or the room's current one, which no event follows yet. */
export interface HistoryNode {
  /** Null: the current state. */
  readonly eventId: string | null;
  readonly depth: number;
  readonly stateGroup: number;
  readonly prevEventIds: readonly string[];
}

/** A state that is known, after an event. */
export type StatefulEvent = HistoryNode & { readonly eventId: string };

/** Since when an entry is what it is. */
export type Origin =
  /** States that differ there met at `node`. */
  | { readonly kind: 'met'; readonly node: HistoryNode; readonly met: readonly StatefulEvent[] }
  | { readonly kind: 'written' | 'given'; readonly eventId: string }
  /** There never was such an entry, or the search was cut short. */
  | { readonly kind: 'none' };

export interface PlaceHistory {
  /** The event that stands at the place in a group's state. */
  entryOf(stateGroup: number): Promise<string | undefined>;
  /** Walks back, the deepest event first, until it is known since when the entry is what it is in the state of `start`. */
  findOrigin(start: HistoryNode): Promise<{
    readonly origin: Origin;
    readonly eventsWalked: number;
    readonly isTruncated: boolean;
  }>;
}

/** Nodes in the order of their depth, the deepest last. */
function insertByDepth(nodes: HistoryNode[], node: HistoryNode): void {
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((nodes[middle]?.depth ?? 0) < node.depth) low = middle + 1;
    else high = middle;
  }
  nodes.splice(low, 0, node);
}

function isStateful(event: GraphEvent): event is GraphEvent & { readonly stateGroup: number } {
  return event.stateGroup !== null;
}

/** Reads what stood at one place of a room's state. Each group is read once. */
export function createPlaceHistory(
  db: ReadDb,
  { roomNid, version }: { readonly roomNid: number; readonly version: RoomVersion },
  { type, stateKey }: StateKey,
  walkMax: number,
): PlaceHistory {
  const entries = new Map<number, string | undefined>();

  const entryOf = async (stateGroup: number): Promise<string | undefined> => {
    const passed: number[] = [];
    let group: number | null = stateGroup;
    let found: string | undefined;
    while (group !== null) {
      if (entries.has(group)) {
        found = entries.get(group);
        break;
      }
      passed.push(group);
      const own = await getOwnEntry(db, group, type, stateKey);
      if (own.isOwn) {
        found = own.eventId ?? undefined;
        break;
      }
      group = own.parent;
    }
    for (const one of passed) entries.set(one, found);
    return found;
  };

  const before = async (node: HistoryNode): Promise<readonly StatefulEvent[]> => {
    const events = await readGraphEvents(db, [...new Set(node.prevEventIds)]);
    return events.filter(isStateful).filter((event) => event.roomNid === roomNid);
  };

  /** What one node says; undefined: go on with `met`. */
  const originAt = async (
    node: HistoryNode,
    value: string | undefined,
    met: readonly StatefulEvent[],
  ): Promise<Origin | undefined> => {
    if (node.eventId !== null && node.eventId === value) return { kind: 'written', eventId: node.eventId };
    const values = new Set<string | undefined>();
    for (const { stateGroup } of met) values.add(await entryOf(stateGroup));
    // In version 1 a state without the entry disputes nothing.
    if (version.stateResolution === 'v1' && values.size > 1) values.delete(undefined);
    if (values.size > 1) return { kind: 'met', node, met };
    const isCarried = met.length === 0 ? value === undefined : values.has(value);
    if (isCarried || node.eventId === null) return undefined;
    return { kind: 'given', eventId: node.eventId };
  };

  return {
    entryOf,
    async findOrigin(start) {
      const value = await entryOf(start.stateGroup);
      const frontier = [start];
      const seen = new Set<string>();
      let eventsWalked = 0;
      for (let node = frontier.pop(); node !== undefined; node = frontier.pop()) {
        if (eventsWalked >= walkMax) return { origin: { kind: 'none' }, eventsWalked, isTruncated: true };
        eventsWalked += 1;
        const met = await before(node);
        const origin = await originAt(node, value, met);
        if (origin !== undefined) return { origin, eventsWalked, isTruncated: false };
        for (const event of met) {
          if (seen.has(event.eventId) || (await entryOf(event.stateGroup)) !== value) continue;
          seen.add(event.eventId);
          insertByDepth(frontier, event);
        }
      }
      return { origin: { kind: 'none' }, eventsWalked, isTruncated: false };
    },
  };
}
