import { Type } from 'typebox';
import { readNotifications } from '../../../../db/push/notification-reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { ignoredUsersCache } from '../../../sync/caches/ignored-users.ts';
import { eventText, findClientEvent } from '../../../sync/event-text.ts';
import { loadReadMarks, type ReadMarks } from '../../../sync/push/read-marks.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
const TOKEN = /^[0-9]{1,15}$/;

/** What the caller was notified of, the newest first. What is old is gone. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/notifications',
  aliases: ['/_matrix/client/r0/notifications'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/notifications',
  auth: 'user',
  rateLimit: 'reading',
  query: Type.Object({
    from: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer()),
    only: Type.Optional(Type.String()),
  }),
  reply: Type.Object({
    notifications: Type.Array(Type.Unknown()),
    next_token: Type.Optional(Type.String()),
  }),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ query, caller, services }) {
    const { userId } = caller;
    if (query.from !== undefined && !TOKEN.test(query.from))
      return refuse('M_INVALID_PARAM', 'from: not a token of this list');
    const limit = Math.min(LIMIT_MAX, Math.max(1, query.limit ?? LIMIT_DEFAULT));
    const rows = await readNotifications(services.db, {
      userId,
      before: query.from === undefined ? Number.MAX_SAFE_INTEGER : Number(query.from),
      limit: limit + 1,
      onlyHighlights: query.only === 'highlight',
    });
    const ignored = await services.cached.get(ignoredUsersCache, userId);
    const marks = new Map<string, ReadMarks>();
    const texts: string[] = [];
    for (const { roomId, eventId, place, threadId, actions, ts } of rows.slice(0, limit)) {
      const event = await findClientEvent(services, eventId);
      // A purge may have deleted it since its id was read.
      if (event === undefined || ignored.has(event.sender)) continue;
      const known = marks.get(roomId) ?? (await loadReadMarks(services.db, roomId, userId, 0));
      marks.set(roomId, known);
      const read = place <= known.upTo(threadId);
      const text = await eventText(services, caller, event, { includeRoomId: true });
      texts.push(
        `{"actions":${actions ?? '["notify"]'},"event":${text},"read":${read},` +
          `"room_id":${JSON.stringify(roomId)},"ts":${ts}}`,
      );
    }
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    const next = last === undefined ? '' : `,"next_token":"${last.place}"`;
    return new JsonText(`{"notifications":[${texts.join(',')}]${next}}`);
  },
});
