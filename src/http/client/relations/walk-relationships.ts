import { findEvent } from '../../../../db/rooms/event-reader.ts';
import { readChildren } from '../../../../db/rooms/relationship-reader.ts';
import type { TimelineEntry } from '../../../../db/rooms/sync-reader.ts';
import { relationOf } from '../../../matrix/events/relation.ts';
import type { Viewer } from '../../../sync/bundle.ts';
import type { ClientEvent } from '../../../sync/caches/client-events.ts';
import { findClientEvent } from '../../../sync/event-text.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { toTimelineEntry } from '../rooms/find-visible-event.ts';

/** Events of one walk, over all of its pages: a longer one ends there. */
export const WALK_EVENTS_MAX = 1_000;
/** How far a walk goes from where it began, whatever the client says. */
export const WALK_DEPTH_MAX = 100;
/** Children of one event that a walk goes on to, whatever the client says. */
export const WALK_BREADTH_MAX = 100;
/** Children of one event that are looked at, however few of them the asker may see. */
const CHILDREN_LOOK_AT_MAX = 500;

/** An event of a walk. */
export interface WalkItem {
  readonly event: ClientEvent;
  readonly membership: string;
}

/** Which events are walked to. MSC2836, "Querying relationships". */
export interface Walk {
  readonly roomId: string;
  readonly anchor: WalkItem;
  readonly direction: 'up' | 'down';
  readonly maxDepth: number;
  readonly maxBreadth: number;
  readonly isDepthFirst: boolean;
  readonly isRecentFirst: boolean;
  readonly includesParent: boolean;
  readonly includesChildren: boolean;
  /** Of the events stream: what came later is not there, so that the pages of a walk are of one picture. */
  readonly upTo: number;
}

/** Finds the neighbours of events that the viewer may see. */
interface Neighbours {
  readonly parentsOf: (item: WalkItem) => Promise<readonly WalkItem[]>;
  readonly childrenOf: (item: WalkItem) => Promise<readonly WalkItem[]>;
}

function neighboursFor(services: ReadServices, viewer: Viewer, walk: Walk): Neighbours {
  const look = async (entry: TimelineEntry): Promise<WalkItem | undefined> => {
    const event = await findClientEvent(services, entry.eventId);
    if (event === undefined || (event.stateKey === null && viewer.ignored.has(event.sender)))
      return undefined;
    const { isVisible, membership } = await viewer.check(entry, event);
    return isVisible ? { event, membership } : undefined;
  };
  return {
    async parentsOf({ event }) {
      const parentId = relationOf(event.content)?.parentId;
      const stored = parentId === undefined ? undefined : await findEvent(services.db, parentId);
      const entry = stored?.roomId === walk.roomId ? toTimelineEntry(stored) : undefined;
      const parent = entry === undefined ? undefined : await look(entry);
      return parent === undefined ? [] : [parent];
    },
    async childrenOf({ event }) {
      const range = { roomId: walk.roomId, parentId: event.eventId, upTo: walk.upTo };
      const order = walk.isRecentFirst ? 'newest-first' : 'oldest-first';
      const entries = await readChildren(services.db, { ...range, limit: CHILDREN_LOOK_AT_MAX }, order);
      const children: WalkItem[] = [];
      for (const entry of entries) {
        if (children.length === WALK_BREADTH_MAX) break;
        const child = await look(entry);
        if (child !== undefined) children.push(child);
      }
      return children;
    },
  };
}

/**
 * Walks from an event to those that it relates to, or that relate to it: the event itself, then its parent and its children where these are asked
 * for, then what the walk comes to. Each comes once; what the viewer may not see is not walked through.
 * MSC2836, "Server implementation".
 */
export async function* walkRelationships(
  services: ReadServices,
  viewer: Viewer,
  walk: Walk,
): AsyncGenerator<WalkItem, void, undefined> {
  const { anchor, isDepthFirst, maxDepth, maxBreadth } = walk;
  const { parentsOf, childrenOf } = neighboursFor(services, viewer, walk);
  const next = walk.direction === 'up' ? parentsOf : childrenOf;
  const told = new Set<string>();
  const isNew = ({ event }: WalkItem): boolean =>
    !told.has(event.eventId) && told.add(event.eventId).size > 0;
  told.add(anchor.event.eventId);
  yield anchor;
  if (walk.includesParent) yield* (await parentsOf(anchor)).filter(isNew);
  if (walk.includesChildren) yield* (await childrenOf(anchor)).filter(isNew);
  const walked = new Set([anchor.event.eventId]);
  const open = [{ item: anchor, depth: 0 }];
  for (
    let place = open.shift();
    place !== undefined && walked.size <= WALK_EVENTS_MAX;
    place = open.shift()
  ) {
    const { item, depth } = place;
    if (item !== anchor && isNew(item)) yield item;
    if (depth >= maxDepth) continue;
    const neighbours = (await next(item)).slice(0, maxBreadth);
    const unwalked = neighbours.filter(({ event }) => !walked.has(event.eventId));
    for (const { event } of unwalked) walked.add(event.eventId);
    const further = unwalked.map((one) => ({ item: one, depth: depth + 1 }));
    if (isDepthFirst) open.unshift(...further);
    else open.push(...further);
  }
}
