import { type Static, Type } from 'typebox';
import { readRelated, RELATION_DEPTH_MAX } from '../../../../db/rooms/relation-reader.ts';
import { ROOM_END, ROOM_START, type TopologicalPlace } from '../../../../db/rooms/timeline-reader.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Viewer } from '../../../sync/bundle.ts';
import type { ClientEvent } from '../../../sync/caches/client-events.ts';
import { findClientEvent } from '../../../sync/event-text.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import { findPlace, formatPlace, placeBefore } from '../../../sync/page-token.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { JsonText } from '../../kit/endpoint.ts';
import { findVisibleEvent } from '../rooms/find-visible-event.ts';
import { historyTexts, readViewer } from '../rooms/history.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

const EVENTS_DEFAULT = 20;
/** Events of one answer. */
const RELATED_PER_PAGE_MAX = 200;
/** Events that are looked at for one answer, however few of them the caller may see. */
const RELATED_LOOK_AT_MAX = 1_000;

/** The query string of the endpoints for what relates to an event. */
export const RELATED_QUERY = Type.Object({
  from: Type.Optional(Type.String()),
  to: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
  recurse: Type.Optional(Type.Boolean()),
  'org.matrix.msc3981.recurse': Type.Optional(Type.Boolean()),
});

/** What they answer. */
export const RELATED_REPLY = Type.Object({
  chunk: Type.Array(ANY_OBJECT),
  next_batch: Type.Optional(Type.String()),
  prev_batch: Type.Optional(Type.String()),
  recursion_depth: Type.Optional(Type.Integer()),
});

/** Which children of which event are asked for. */
export interface RelatedRequest {
  readonly roomId: string;
  readonly eventId: string;
  /** Null: any. */
  readonly relType: string | null;
  readonly eventType: string | null;
  readonly query: Static<typeof RELATED_QUERY>;
}

interface Range {
  readonly parentId: string;
  readonly roomId: string;
  readonly relType: string | null;
  readonly type: string | null;
  readonly from: TopologicalPlace;
  readonly to: TopologicalPlace;
}

interface Page {
  readonly items: readonly { readonly event: ClientEvent; readonly membership: string }[];
  /** Where it goes on; null at the end. */
  readonly next: TopologicalPlace | null;
}

interface Order {
  readonly direction: 'backward' | 'forward';
  readonly isDeep: boolean;
}

async function readPage(
  services: ReadServices,
  viewer: Viewer,
  range: Range,
  order: Order,
  limit: number,
): Promise<Page> {
  const entries = await readRelated(services.db, range, order, RELATED_LOOK_AT_MAX + 1);
  const items: Page['items'][number][] = [];
  let next: TopologicalPlace | null = null;
  for (const [index, entry] of entries.entries()) {
    if (items.length === limit || index === RELATED_LOOK_AT_MAX) return { items, next };
    const { depth, position } = entry;
    next = order.direction === 'backward' ? placeBefore(entry) : { depth, streamOrdering: position };
    const event = await findClientEvent(services, entry.eventId);
    // A purge may have deleted it since it was read.
    if (event === undefined || (event.stateKey === null && viewer.ignored.has(event.sender))) continue;
    const { isVisible, membership } = await viewer.check(entry, event);
    if (isVisible) items.push({ event, membership });
  }
  return { items, next: null };
}

async function placeOf(
  services: ReadServices,
  roomId: string,
  token: string | undefined,
  otherwise: TopologicalPlace,
): Promise<TopologicalPlace | Refusal> {
  return token === undefined || token === '' ? otherwise : findPlace(services.db, roomId, token);
}

/**
 * A page of the events that relate to one, as far as the caller may see them, those of ignored users left out.
 * Client-Server API v1.19, "Relationships API".
 *
 * @returns refused with M_NOT_FOUND when the caller may not see the event, M_INVALID_PARAM for what is no token
 */
export async function answerRelated(
  services: ReadServices,
  caller: SyncCaller,
  request: RelatedRequest,
): Promise<JsonText | Refusal> {
  const { roomId, eventId: parentId, relType, eventType: type, query } = request;
  const parent = await findVisibleEvent(services, caller.userId, roomId, parentId);
  if (parent === undefined) return refuse('M_NOT_FOUND', 'There is no such event, or you may not see it.');
  const isBackward = query.dir !== 'f';
  const first = await placeOf(services, roomId, query.from, isBackward ? ROOM_END : ROOM_START);
  if (isRefusal(first)) return first;
  const last = await placeOf(services, roomId, query.to, isBackward ? ROOM_START : ROOM_END);
  if (isRefusal(last)) return last;
  const viewer = await readViewer(services, caller, parent.standing);
  const bounds = isBackward ? { from: last, to: first } : { from: first, to: last };
  const recurse = query.recurse ?? query['org.matrix.msc3981.recurse'];
  const order: Order = { direction: isBackward ? 'backward' : 'forward', isDeep: recurse === true };
  const limit = Math.min(Math.max(query.limit ?? EVENTS_DEFAULT, 1), RELATED_PER_PAGE_MAX);
  const page = await readPage(services, viewer, { parentId, roomId, relType, type, ...bounds }, order, limit);
  const depth = recurse === true ? RELATION_DEPTH_MAX : 1;
  return new JsonText(
    objectText([
      ['chunk', listText(await historyTexts(services, viewer, page.items))],
      ['next_batch', page.next === null ? null : JSON.stringify(formatPlace(page.next))],
      ['prev_batch', query.from === undefined ? null : JSON.stringify(query.from)],
      ['recursion_depth', recurse === undefined ? null : `${depth}`],
    ]),
  );
}
