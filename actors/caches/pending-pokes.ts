import type { CachesRow } from '../../src/streams/caches-stream.ts';
import type { Fact } from '../../src/streams/fact.ts';

/** How many members one poke names. A room with more changes takes several pokes. */
export const POKE_MEMBERS_MAX = 1_000;

/** How many facts that are not of a room one poke carries. */
export const POKE_FACTS_MAX = 1_000;

/** How many members and facts may wait, while storage cannot be written: beyond it one poke drops everything. */
export const PENDING_POKES_MAX = 100_000;

/** What has to be told and was not told yet, coalesced. */
export interface PendingPokes {
  addRoom(roomId: string, members: readonly string[]): void;
  addFacts(facts: readonly Fact[]): void;
  isEmpty(): boolean;
  /** The pokes: one per room, or as many as its members need; then the other facts. Empties it. */
  take(): readonly CachesRow[];
}

function chunks<Item>(items: readonly Item[], size: number): (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

function pokesOfRoom(roomId: string, members: readonly string[]): readonly CachesRow[] {
  // A change without members is a change too: the caches of the room's state depend on it.
  const parts = members.length === 0 ? [[]] : chunks(members, POKE_MEMBERS_MAX);
  return parts.map((part) => ({ facts: [{ fact: 'room-changed', roomId, members: part }] }));
}

/**
 * Starts empty.
 *
 * @param itemsMax {@link PENDING_POKES_MAX} when absent
 */
export function createPendingPokes(itemsMax: number = PENDING_POKES_MAX): PendingPokes {
  const rooms = new Map<string, Set<string>>();
  const facts = new Map<string, Fact>();
  let items = 0;
  let isEverything = false;

  const empty = (): void => {
    rooms.clear();
    facts.clear();
    items = 0;
  };
  const count = (added: number): void => {
    items += added;
    if (items <= itemsMax) return;
    isEverything = true;
    empty();
  };
  return {
    addRoom(roomId, members) {
      if (isEverything) return;
      const known = rooms.get(roomId) ?? new Set();
      const before = rooms.has(roomId) ? known.size : -1;
      for (const member of members) known.add(member);
      rooms.set(roomId, known);
      count(known.size - before);
    },
    addFacts(added) {
      if (isEverything) return;
      const before = facts.size;
      for (const fact of added) facts.set(JSON.stringify(fact), fact);
      count(facts.size - before);
    },
    isEmpty: () => !isEverything && rooms.size === 0 && facts.size === 0,
    take() {
      if (isEverything) {
        isEverything = false;
        return [{ facts: [{ fact: 'everything' }] }];
      }
      const pokes = [
        ...[...rooms].flatMap(([roomId, members]) => pokesOfRoom(roomId, [...members])),
        ...chunks([...facts.values()], POKE_FACTS_MAX).map((part) => ({ facts: part })),
      ];
      empty();
      return pokes;
    },
  };
}
