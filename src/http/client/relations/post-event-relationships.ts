import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import { findEvent } from '../../../../db/rooms/event-reader.ts';
import { type ChildrenSummary, summariseChildren } from '../../../../db/rooms/relationship-reader.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { eventText } from '../../../sync/event-text.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findVisibleEvent } from '../rooms/find-visible-event.ts';
import { readViewer } from '../rooms/history.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import {
  WALK_BREADTH_MAX,
  WALK_DEPTH_MAX,
  WALK_EVENTS_MAX,
  type WalkItem,
  walkRelationships,
} from './walk-relationships.ts';

const DEPTH_DEFAULT = 3;
const BREADTH_DEFAULT = 10;
/** Events of one answer. */
const EVENTS_MAX = 100;

/** Where a walk goes on: the picture that it is of, and how many of its events were told. */
interface Batch {
  readonly upTo: number;
  readonly told: number;
}

function parseBatch(text: string): Batch | Refusal {
  const [, upTo, told] = /^(0|[1-9]\d{0,15})_([1-9]\d{0,4})$/.exec(text) ?? [];
  if (upTo === undefined || told === undefined || Number(told) > WALK_EVENTS_MAX)
    return refuse('M_INVALID_PARAM', 'batch is not one that this server gave out');
  return { upTo: Number(upTo), told: Number(told) };
}

/** A bound of the client's, which none is for a negative one, within ours. */
function boundOf(given: number | undefined, otherwise: number, most: number): number {
  const wanted = given ?? otherwise;
  return wanted < 0 ? most : Math.min(wanted, most);
}

/** What `unsigned` says of an event's children. MSC2836, "Exploring dense threads". */
function childrenText({ counts, eventIds }: ChildrenSummary): string {
  const children = `"children":${JSON.stringify(counts)}`;
  if (eventIds === null) return children;
  const hash = createHash('sha256').update(eventIds.toSorted().join('')).digest('hex');
  return `${children},"children_hash":"${hash}"`;
}

async function itemText(
  services: ReadServices,
  caller: SyncCaller,
  { event, membership }: WalkItem,
): Promise<string> {
  const further = childrenText(await summariseChildren(services.db, event.roomId, event.eventId));
  return eventText(services, caller, event, { includeRoomId: true, membership, further });
}

/** The events of a walk that come after those that were told, at most `limit`, and whether there are more. */
async function takePage(
  items: AsyncIterable<WalkItem>,
  told: number,
  limit: number,
): Promise<{ readonly page: readonly WalkItem[]; readonly isMore: boolean }> {
  const page: WalkItem[] = [];
  let at = 0;
  for await (const item of items) {
    if (page.length === limit || at === WALK_EVENTS_MAX) return { page, isMore: true };
    at += 1;
    if (at > told) page.push(item);
  }
  return { page, isMore: false };
}

/**
 * What an event relates to and what relates to it, near and far, within its room. The relation is `m.relates_to`, which came in the place of this
 * proposal's `m.relationship`.
 */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/unstable/event_relationships',
  spec: 'MSC2836, POST /event_relationships',
  auth: 'user',
  rateLimit: 'reading',
  body: Type.Object({
    event_id: Type.String(),
    max_depth: Type.Optional(Type.Integer()),
    max_breadth: Type.Optional(Type.Integer()),
    limit: Type.Optional(Type.Integer()),
    depth_first: Type.Optional(Type.Boolean()),
    recent_first: Type.Optional(Type.Boolean()),
    include_parent: Type.Optional(Type.Boolean()),
    include_children: Type.Optional(Type.Boolean()),
    direction: Type.Optional(Type.Union([Type.Literal('up'), Type.Literal('down')])),
    batch: Type.Optional(Type.String()),
  }),
  reply: Type.Object({
    events: Type.Array(ANY_OBJECT),
    limited: Type.Boolean(),
    next_batch: Type.Optional(Type.String()),
  }),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ body, caller, services }) {
    const isFirst = body.batch === undefined || body.batch === '';
    const batch = isFirst
      ? { upTo: services.streams.currentToken('events'), told: 0 }
      : parseBatch(body.batch ?? '');
    if (isRefusal(batch)) return batch;
    const { roomId } = (await findEvent(services.db, body.event_id)) ?? {};
    const found =
      roomId === undefined
        ? undefined
        : await findVisibleEvent(services, caller.userId, roomId, body.event_id);
    if (roomId === undefined || found === undefined)
      return refuse('M_NOT_FOUND', 'There is no such event, or you may not see it.');
    const viewer = await readViewer(services, caller, found.standing);
    const walk = walkRelationships(services, viewer, {
      roomId,
      anchor: found,
      direction: body.direction ?? 'down',
      maxDepth: boundOf(body.max_depth, DEPTH_DEFAULT, WALK_DEPTH_MAX),
      maxBreadth: boundOf(body.max_breadth, BREADTH_DEFAULT, WALK_BREADTH_MAX),
      isDepthFirst: body.depth_first ?? false,
      isRecentFirst: body.recent_first ?? true,
      includesParent: body.include_parent ?? false,
      includesChildren: body.include_children ?? false,
      upTo: batch.upTo,
    });
    const limit = Math.min(Math.max(body.limit ?? EVENTS_MAX, 1), EVENTS_MAX);
    const { page, isMore } = await takePage(walk, batch.told, limit);
    const told = batch.told + page.length;
    const mayGoOn = isMore && told < WALK_EVENTS_MAX;
    const texts = await Promise.all(page.map((item) => itemText(services, caller, item)));
    return new JsonText(
      objectText([
        ['events', listText(texts)],
        ['limited', `${isMore}`],
        ['next_batch', mayGoOn ? JSON.stringify(`${batch.upTo}_${told}`) : null],
      ]),
    );
  },
});
