import { Type } from 'typebox';
import { readThreadPlaces, type ThreadPlace } from '../../../../db/rooms/relation-reader.ts';
import { findEvent } from '../../../../db/rooms/event-reader.ts';
import { ROOM_END, type TopologicalPlace } from '../../../../db/rooms/timeline-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import type { Viewer } from '../../../sync/bundle.ts';
import type { ClientEvent } from '../../../sync/caches/client-events.ts';
import { findClientEvent } from '../../../sync/event-text.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import { findPlace, formatPlace, placeBefore } from '../../../sync/page-token.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { toTimelineEntry } from '../rooms/find-visible-event.ts';
import { historyTexts, readViewer } from '../rooms/history.ts';
import { findRoomAccess } from '../rooms/room-access.ts';
import { ANY_OBJECT, ROOM_PARAMS } from '../rooms/room-params.ts';

const THREADS_DEFAULT = 20;
/** Threads of one answer. */
const THREADS_PER_PAGE_MAX = 100;
/** Threads that are looked at for one answer, however few of them the caller may see. */
const THREADS_LOOK_AT_MAX = 500;

const NOW = Number.MAX_SAFE_INTEGER;

interface Root {
  readonly event: ClientEvent;
  readonly membership: string;
}

/** The first event of a thread, if the viewer may see it. */
async function findRoot(
  services: ReadServices,
  viewer: Viewer,
  { rootId }: ThreadPlace,
): Promise<Root | undefined> {
  const stored = await findEvent(services.db, rootId);
  const entry = stored === undefined ? undefined : toTimelineEntry(stored);
  const event = await findClientEvent(services, rootId);
  if (entry === undefined || event === undefined) return undefined;
  const { isVisible, membership } = await viewer.check(entry, event);
  return isVisible ? { event, membership } : undefined;
}

/** A root of an ignored user comes as if it were redacted. Client-Server API v1.19, `GET /rooms/{roomId}/threads`. */
function withoutIgnored({ ignored }: Viewer, root: Root): Root {
  const { event } = root;
  if (!ignored.has(event.sender)) return root;
  const { event_id, sender, type, origin_server_ts } = JSON.parse(`${event.head}}`) as Record<
    string,
    unknown
  >;
  const head = JSON.stringify({ event_id, sender, type, origin_server_ts, content: {} }).slice(0, -1);
  return { ...root, event: { ...event, content: {}, contentText: '{}', head } };
}

/** A page of the threads of a room, the one that was written in last first. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/rooms/{roomId}/threads',
  aliases: ['/_matrix/client/unstable/org.matrix.msc3856/rooms/{roomId}/threads'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/rooms/{roomId}/threads',
  auth: 'user',
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  query: Type.Object({
    include: Type.Optional(Type.Union([Type.Literal('all'), Type.Literal('participated')])),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    from: Type.Optional(Type.String()),
  }),
  reply: Type.Object({ chunk: Type.Array(ANY_OBJECT), next_batch: Type.Optional(Type.String()) }),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, query, caller, services }) {
    const { roomId } = params;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    const from = query.from === undefined ? ROOM_END : await findPlace(services.db, roomId, query.from);
    if (isRefusal(from)) return from;
    const viewer = await readViewer(services, caller, access.standing);
    const places = await services.db.all(readThreadPlaces, {
      roomId,
      upTo: access.to ?? NOW,
      participant: query.include === 'participated' ? caller.userId : null,
      beforeDepth: from.depth,
      beforeOrdering: from.streamOrdering,
      limit: THREADS_LOOK_AT_MAX,
    });
    const limit = Math.min(query.limit ?? THREADS_DEFAULT, THREADS_PER_PAGE_MAX);
    const roots: Root[] = [];
    let next: TopologicalPlace | null = null;
    let isMore = places.length === THREADS_LOOK_AT_MAX;
    for (const place of places) {
      if (roots.length === limit) {
        isMore = true;
        break;
      }
      next = placeBefore({ depth: place.depth, position: place.streamOrdering });
      const root = await findRoot(services, viewer, place);
      if (root !== undefined) roots.push(withoutIgnored(viewer, root));
    }
    return new JsonText(
      objectText([
        ['chunk', listText(await historyTexts(services, viewer, roots))],
        ['next_batch', isMore && next !== null ? JSON.stringify(formatPlace(next)) : null],
      ]),
    );
  },
});
