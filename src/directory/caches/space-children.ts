import {
  findVersion,
  findVersionOfRoom,
  readChildren,
  readChildState,
} from '../../../db/rooms/directory-reader.ts';
import type { JsonObject } from '../../kit/json.ts';
import { parseRoomId } from '../../matrix/identifiers/room-id.ts';
import { getRoomVersion } from '../../matrix/rooms/room-versions.ts';
import { defineCache } from '../../streams/cache.ts';
import { type ShownState, toShownState } from '../state-content.ts';

const CHILD = 'm.space.child';

/** A room that a space names as its child. */
export interface SpaceChild {
  readonly roomId: string;
  readonly isSuggested: boolean;
  /** The event as it is shown: stripped, with its time. */
  readonly event: JsonObject;
}

/** Children kept in memory over all spaces. */
const SPACE_CHILDREN_MAX = 50_000;
/** Children that one space has: those that come later in its order are cut. */
export const CHILDREN_OF_SPACE_MAX = 1_000;

const VALID_ORDER = /^[\x20-\x7e]{1,50}$/;

/** A child without servers to ask is none: that is how children are taken away. Client-Server API v1.19, "m.space.child". */
function isChild({ stateKey, content }: ShownState): boolean {
  const { via } = content;
  const isReachable =
    Array.isArray(via) && via.length > 0 && via.every((server) => typeof server === 'string');
  return isReachable && parseRoomId(stateKey) !== undefined;
}

function orderOf({ content: { order } }: ShownState): string | undefined {
  return typeof order === 'string' && VALID_ORDER.test(order) ? order : undefined;
}

function compareTexts(one: string, other: string): number {
  return one < other ? -1 : one === other ? 0 : 1;
}

/**
 * Puts the children of a space in order: those with a valid `order` first, then by time, then by room id.
 * Client-Server API v1.19, "Ordering of children within a space".
 */
function compareChildren(one: ShownState, other: ShownState): number {
  const [order, otherOrder] = [orderOf(one), orderOf(other)];
  if (order !== undefined && otherOrder === undefined) return -1;
  if (order === undefined && otherOrder !== undefined) return 1;
  return (
    compareTexts(order ?? '', otherOrder ?? '') ||
    one.originServerTs - other.originServerTs ||
    compareTexts(one.stateKey, other.stateKey)
  );
}

function toChild({ type, stateKey, sender, content, originServerTs }: ShownState): SpaceChild {
  return {
    roomId: stateKey,
    isSuggested: content['suggested'] === true,
    event: { type, state_key: stateKey, sender, content, origin_server_ts: originServerTs },
  };
}

/** The children of a space in their order, by room id; empty for a room without any. */
export const spaceChildrenCache = defineCache<string, readonly SpaceChild[]>({
  name: 'space-children',
  sizeMax: SPACE_CHILDREN_MAX,
  size: (children) => children.length + 1,
  async load(db, roomId) {
    const versionId = await findVersion(db, roomId);
    if (versionId === undefined) return [];
    const version = getRoomVersion(versionId);
    const events = (await readChildren(db, roomId)).map((event) => toShownState(version, event));
    return events.filter(isChild).toSorted(compareChildren).slice(0, CHILDREN_OF_SPACE_MAX).map(toChild);
  },
  reads: [findVersionOfRoom, readChildState],
  keeps: (children) => children.length > 0,
  dependsOn: {
    'room-state': (fact) => (fact.type === CHILD ? [fact.roomId] : []),
    'room-changed': (fact) => [fact.roomId],
    event: (fact) => [fact.roomId],
  },
});
