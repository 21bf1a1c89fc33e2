import { isJsonObject, type JsonObject } from '../kit/json.ts';
import { domainOf } from '../matrix/identifiers/domain.ts';
import { type Refusal, refuse } from '../matrix/refusal.ts';
import type { ReadServices } from '../sync/sync-services.ts';
import { makeTurnTaker } from '../sync/yield-turn.ts';
import { roomIdOf } from './room-chunk.ts';
import type { RemoteSpace } from './hierarchy-answer.ts';
import type { RoomDescription } from './caches/room-description.ts';
import { type SpaceChild, spaceChildrenCache } from './caches/space-children.ts';
import {
  formatHierarchyToken,
  HIERARCHY_ROOMS_MAX,
  type HierarchyScope,
  parseHierarchyToken,
  roomMark,
} from './hierarchy-token.ts';
import { findDescription, mayKnowOf, mayKnowOfRemote, type Seeker } from './room-discovery.ts';
import { toRoomSummary } from './room-summary.ts';

/** Rooms of one answer. */
export const HIERARCHY_PAGE_MAX = 100;
const HIERARCHY_PAGE_DEFAULT = 50;
/** How far from the first room a hierarchy goes. */
export const HIERARCHY_DEPTH_MAX = 50;
/** Children that are looked at for one answer, however often one is named. */
export const HIERARCHY_STEPS_MAX = 50_000;

/** Rooms of other servers that are asked for, for one answer. */
export const REMOTE_SPACES_MAX = 50;

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

/** What it takes to go through a hierarchy. */
export interface HierarchyServices extends Pick<ReadServices, 'cached'> {
  /** Asks other servers for the rooms that this one is not in. */
  readonly remoteQueries: {
    space(roomId: string, via: readonly string[], suggestedOnly: boolean): Promise<RemoteSpace | Refusal>;
  };
}

interface Walk {
  readonly services: HierarchyServices;
  readonly seeker: Seeker;
  readonly suggestedOnly: boolean;
  readonly depthMax: number;
  /** Marks of the rooms that were given on earlier pages. */
  readonly given: ReadonlySet<string>;
  /** How often other servers have been asked. */
  asked: number;
}

interface Found {
  readonly summary: JsonObject;
  readonly children: readonly SpaceChild[];
  /** What another server said of the room and its children, where it was asked. */
  readonly space: RemoteSpace | null;
}

interface Step {
  readonly roomId: string;
  readonly depth: number;
  /** Servers that know the room, as its parent says. */
  readonly via: readonly string[];
  /** What was said of its parent. */
  readonly parent: RemoteSpace | null;
}

/** The children of a room that count: only spaces have any. */
async function childrenOf(walk: Walk, room: RoomDescription): Promise<readonly SpaceChild[]> {
  if (room.roomType !== SPACE) return [];
  const children = await walk.services.cached.get(spaceChildrenCache, room.roomId);
  return walk.suggestedOnly ? children.filter(({ isSuggested }) => isSuggested) : children;
}

/** A room that this server is not in, as other servers tell of it; what the parent's server said is enough for one that is no space. */
async function findElsewhere(walk: Walk, { roomId, via, parent }: Step): Promise<Found | undefined> {
  if (parent?.inaccessible.has(roomId) === true) return undefined;
  const told = parent?.children.get(roomId);
  if (told !== undefined && told.summary['room_type'] !== SPACE)
    return mayKnowOfRemote(walk.seeker, told.summary)
      ? { summary: told.summary, children: [], space: null }
      : undefined;
  if (walk.asked >= REMOTE_SPACES_MAX) return undefined;
  walk.asked += 1;
  const space = await walk.services.remoteQueries.space(roomId, via, walk.suggestedOnly);
  if (space.kind === 'refused' || !mayKnowOfRemote(walk.seeker, space.room.summary)) return undefined;
  const { summary, children } = space.room;
  const isSpace = summary['room_type'] === SPACE;
  const counting = (children ?? []).filter(({ isSuggested }) => isSuggested || !walk.suggestedOnly);
  return { summary, children: isSpace ? counting : [], space };
}

async function findRoom(walk: Walk, step: Step): Promise<Found | undefined> {
  const room = await findDescription(walk.services, step.roomId);
  if (room === undefined) return findElsewhere(walk, step);
  if (!mayKnowOf(walk.seeker, room)) return undefined;
  return { summary: toRoomSummary(room), children: await childrenOf(walk, room), space: null };
}

function viaOf({ event }: SpaceChild): readonly string[] {
  const { content } = event;
  const via = isJsonObject(content) ? content['via'] : undefined;
  return Array.isArray(via) ? via.filter((server): server is string => typeof server === 'string') : [];
}

/**
 * Goes through a hierarchy, depth first, children in their order. Each room is given where it is met first; a space that is met again on a
 * shorter way is gone through again, since more lies within the depth from there.
 */
async function* walkRooms(walk: Walk, root: Step): AsyncGenerator<Found, void, undefined> {
  const giveWay = makeTurnTaker();
  const depthOf = new Map<string, number>();
  const stack: Step[] = [root];
  for (let steps = 0; steps < HIERARCHY_STEPS_MAX; steps += 1) {
    const next = stack.pop();
    if (next === undefined) return;
    const { roomId, depth } = next;
    const before = depthOf.get(roomId);
    if (before !== undefined && before <= depth) continue;
    depthOf.set(roomId, depth);
    await giveWay();
    const found = await findRoom(walk, next);
    if (found === undefined) continue;
    if (before === undefined && !walk.given.has(roomMark(roomId))) yield found;
    if (depth === walk.depthMax) continue;
    for (const child of found.children.toReversed())
      stack.push({ roomId: child.roomId, depth: depth + 1, via: viaOf(child), parent: found.space });
  }
}

function toEntry({ summary, children }: Found): JsonObject {
  return { ...summary, children_state: children.map(({ event }) => event) };
}

/**
 * Reads a page of a space's hierarchy: the rooms of it that the seeker may know of, each once over all pages, also while the space changes.
 * Rooms behind one that the seeker may not know of are not found through it. Rooms that this server is not in are asked for elsewhere, some of
 * them: what other servers say of their own rooms is believed.
 *
 * @returns refused with M_FORBIDDEN when the first room is not for the seeker, M_INVALID_PARAM for a wrong token
 */
export async function readHierarchy(
  services: HierarchyServices,
  seeker: Seeker,
  request: HierarchyRequest,
): Promise<HierarchyPage | Refusal> {
  const { roomId, from, maxDepth, suggestedOnly } = request;
  // Who made the room knows it, where its id says who that was.
  const maker = domainOf(roomId);
  const root: Step = { roomId, depth: 0, via: maker === undefined ? [] : [maker], parent: null };
  const look: Walk = { services, seeker, suggestedOnly, depthMax: 0, given: new Set(), asked: 0 };
  if ((await findRoom(look, root)) === undefined) return refuse('M_FORBIDDEN', 'You may not see this room.');
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
  const walk: Walk = { services, seeker, suggestedOnly, depthMax, given, asked: 0 };
  for await (const found of walkRooms(walk, root)) {
    if (rooms.length < limit) {
      rooms.push(toEntry(found));
      marks.add(roomMark(roomIdOf(found.summary)));
    } else {
      const isFull = marks.size >= HIERARCHY_ROOMS_MAX;
      return isFull
        ? { kind: 'page', rooms }
        : { kind: 'page', rooms, next_batch: formatHierarchyToken(request, marks) };
    }
  }
  return { kind: 'page', rooms };
}
