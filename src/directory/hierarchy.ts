import type { JsonObject } from '../kit/json.ts';
import { type Refusal, refuse } from '../matrix/refusal.ts';
import type { ReadServices } from '../sync/sync-services.ts';
import { makeTurnTaker } from '../sync/yield-turn.ts';
import type { RoomDescription } from './caches/room-description.ts';
import { type SpaceChild, spaceChildrenCache } from './caches/space-children.ts';
import {
  formatHierarchyToken,
  HIERARCHY_ROOMS_MAX,
  type HierarchyScope,
  parseHierarchyToken,
  roomMark,
} from './hierarchy-token.ts';
import { findDescription, mayKnowOf, type Seeker } from './room-discovery.ts';
import { toRoomSummary } from './room-summary.ts';

/** Rooms of one answer. */
export const HIERARCHY_PAGE_MAX = 100;
const HIERARCHY_PAGE_DEFAULT = 50;
/** How far from the first room a hierarchy goes. */
export const HIERARCHY_DEPTH_MAX = 50;
/** Children that are looked at for one answer, however often one is named. */
export const HIERARCHY_STEPS_MAX = 50_000;

const SPACE = 'm.space';

/** Which part of a hierarchy is wanted. */
export interface HierarchyRequest extends HierarchyScope {
  /** Null when the client does not say. */
  readonly limit: number | null;
  /** The token of the page before; null for the first. */
  readonly from: string | null;
}

/** A page of a hierarchy. Client-Server API v1.19, `GET /rooms/{roomId}/hierarchy`. */
export interface HierarchyPage {
  readonly kind: 'page';
  readonly rooms: readonly JsonObject[];
  readonly next_batch?: string;
}

interface Walk {
  readonly services: Pick<ReadServices, 'cached'>;
  readonly seeker: Seeker;
  readonly suggestedOnly: boolean;
  readonly depthMax: number;
  /** Marks of the rooms that were given on earlier pages. */
  readonly given: ReadonlySet<string>;
}

interface Found {
  readonly room: RoomDescription;
  readonly children: readonly SpaceChild[];
}

/** The children of a room that count: only spaces have any. */
async function childrenOf(walk: Walk, room: RoomDescription): Promise<readonly SpaceChild[]> {
  if (room.roomType !== SPACE) return [];
  const children = await walk.services.cached.get(spaceChildrenCache, room.roomId);
  return walk.suggestedOnly ? children.filter(({ isSuggested }) => isSuggested) : children;
}

/**
 * Goes through a hierarchy, depth first, children in their order. Each room is given where it is met first; a space that is met again on a
 * shorter way is gone through again, since more lies within the depth from there.
 *
 * @param root may be known to the seeker
 */
async function* walkRooms(walk: Walk, root: RoomDescription): AsyncGenerator<Found, void, undefined> {
  const giveWay = makeTurnTaker();
  const depthOf = new Map<string, number>();
  const stack: { readonly roomId: string; readonly depth: number }[] = [{ roomId: root.roomId, depth: 0 }];
  for (let steps = 0; steps < HIERARCHY_STEPS_MAX; steps += 1) {
    const next = stack.pop();
    if (next === undefined) return;
    const { roomId, depth } = next;
    const before = depthOf.get(roomId);
    if (before !== undefined && before <= depth) continue;
    depthOf.set(roomId, depth);
    await giveWay();
    const room = await findDescription(walk.services, roomId);
    if (room === undefined || !mayKnowOf(walk.seeker, room)) continue;
    const children = await childrenOf(walk, room);
    if (before === undefined && !walk.given.has(roomMark(roomId))) yield { room, children };
    if (depth === walk.depthMax) continue;
    for (const child of children.toReversed()) stack.push({ roomId: child.roomId, depth: depth + 1 });
  }
}

function toEntry({ room, children }: Found): JsonObject {
  return { ...toRoomSummary(room), children_state: children.map(({ event }) => event) };
}

/**
 * Reads a page of a space's hierarchy: the rooms of it that the seeker may know of, each once over all pages, also while the space changes.
 * Rooms behind one that the seeker may not know of are not found through it.
 *
 * @returns refused with M_FORBIDDEN when the first room is not for the seeker, M_INVALID_PARAM for a wrong token
 */
export async function readHierarchy(
  services: Pick<ReadServices, 'cached'>,
  seeker: Seeker,
  request: HierarchyRequest,
): Promise<HierarchyPage | Refusal> {
  const { roomId, from, maxDepth, suggestedOnly } = request;
  const root = await findDescription(services, roomId);
  if (root === undefined || !mayKnowOf(seeker, root))
    return refuse('M_FORBIDDEN', 'You may not see this room.');
  const token = from === null ? null : parseHierarchyToken(request, from);
  if (token?.kind === 'refused') return token;
  const given = new Set(token?.marks);
  const depthMax = Math.min(maxDepth ?? HIERARCHY_DEPTH_MAX, HIERARCHY_DEPTH_MAX);
  const limit = Math.min(
    request.limit ?? HIERARCHY_PAGE_DEFAULT,
    HIERARCHY_PAGE_MAX,
    HIERARCHY_ROOMS_MAX - given.size,
  );
  const rooms: JsonObject[] = [];
  const marks = new Set(given);
  const walk = { services, seeker, suggestedOnly, depthMax, given };
  for await (const found of walkRooms(walk, root)) {
    if (rooms.length < limit) {
      rooms.push(toEntry(found));
      marks.add(roomMark(found.room.roomId));
    } else {
      const isFull = marks.size >= HIERARCHY_ROOMS_MAX;
      return isFull
        ? { kind: 'page', rooms }
        : { kind: 'page', rooms, next_batch: formatHierarchyToken(request, marks) };
    }
  }
  return { kind: 'page', rooms };
}
