import type { ForwardExtremity } from '../../db/rooms/head-reader.ts';
import type { ExtremityChange } from '../../db/rooms/inbound-writer.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import type { BranchDesk } from './branch-state.ts';

/** Above this the actor joins the extremities with an event of its own, where a local user may send one. */
export const EXTREMITIES_WANTED_MAX = 10;
/** Where nobody may, those with the lowest depth are dropped: an event follows no more than this. */
export const EXTREMITIES_MAX = 20;
/** Hidden events that are walked through from one event. What lies further stays an extremity until something follows it. */
const HIDDEN_WALK_MAX = 500;

/** An event that may become an extremity. */
export interface NewExtremity {
  readonly eventId: string;
  readonly prevEvents: readonly string[];
  readonly depth: number;
  /** Something accepted follows it already. */
  readonly isFollowed: boolean;
}

/** What an event makes of a room's extremities. */
export interface PlannedExtremities extends ExtremityChange {
  /** Those that stay, without the event itself. */
  readonly kept: readonly ForwardExtremity[];
}

interface Reached {
  /** Extremities among them. */
  readonly extremities: ReadonlySet<string>;
  /** Events that were not accepted. */
  readonly followed: readonly string[];
}

/** An event follows what its hidden prev_events follow: they were never to be followed by anything. */
async function walkBack(
  { known }: Pick<BranchDesk, 'known'>,
  prevEvents: readonly string[],
  isExtremity: (eventId: string) => boolean,
): Promise<Reached> {
  const extremities = new Set<string>();
  const followed = new Set<string>();
  const seen = new Set<string>();
  let level = prevEvents;
  while (level.length > 0 && seen.size <= HIDDEN_WALK_MAX) {
    const unseen = [...new Set(level)].filter((id) => !seen.has(id));
    for (const id of unseen) {
      seen.add(id);
      if (isExtremity(id)) extremities.add(id);
    }
    const unknown = unseen.filter((id) => !extremities.has(id));
    const events = await known(unknown);
    const further: string[] = [];
    for (const id of unknown) {
      const event = events.get(id);
      const isInGraph = event !== undefined && event.stateGroup !== null;
      const isHidden = isInGraph && event.rejection !== null && !event.rejection.startsWith('held');
      if (!isInGraph || isHidden) followed.add(id);
      if (isHidden) further.push(...edgeIds((JSON.parse(event.pdu) as Pdu).prev_events));
    }
    level = further;
  }
  return { extremities, followed: [...followed] };
}

/** The deepest ones; among equals those that came last. */
function deepest(extremities: readonly ForwardExtremity[], count: number): readonly ForwardExtremity[] {
  return extremities
    .map((extremity, index) => ({ extremity, index }))
    .toSorted((left, right) => right.extremity.depth - left.extremity.depth || right.index - left.index)
    .slice(0, count)
    .toSorted((left, right) => left.index - right.index)
    .map(({ extremity }) => extremity);
}

/**
 * What an accepted event makes of a room's extremities: it takes the place of those that it follows, hidden events between them
 * notwithstanding. An event that came late and is followed already becomes none.
 */
export async function planExtremities(
  desk: Pick<BranchDesk, 'known'>,
  before: readonly ForwardExtremity[],
  event: NewExtremity,
): Promise<PlannedExtremities> {
  const ids = new Set(before.map(({ eventId }) => eventId));
  const reached = await walkBack(desk, event.prevEvents, (id) => ids.has(id));
  const others = before.filter(({ eventId }) => !reached.extremities.has(eventId));
  // A room is never without: what follows the event may have been dropped.
  const isAdded = !event.isFollowed || others.length === 0;
  const kept = deepest(others, EXTREMITIES_MAX - (isAdded ? 1 : 0));
  const keptIds = new Set(kept.map(({ eventId }) => eventId));
  return {
    before: [...ids],
    removed: [...ids].filter((id) => !keptIds.has(id)),
    isAdded,
    followed: reached.followed,
    kept,
  };
}
