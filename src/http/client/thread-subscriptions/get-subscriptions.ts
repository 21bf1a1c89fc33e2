import { Type } from 'typebox';
import { readSubscriptionChanges } from '../../../../db/thread-subscriptions/reader.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { threadSubscriptionsStream } from '../../../streams/thread-subscriptions-stream.ts';
import { parseToken, positionIn } from '../../../streams/token.ts';
import { subscriptionsByRoom } from '../../../sync/thread-subscriptions.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

const LIMIT_DEFAULT = 100;
/** Changes of one answer. */
const LIMIT_MAX = 500;

const STREAM = threadSubscriptionsStream.name;

/** The text of a place between two changes: a token of sync that names nothing but this stream. */
function pageToken(position: number): string {
  return `${threadSubscriptionsStream.letter}${position}`;
}

function positionOf(text: string | undefined, otherwise: number): number | Refusal {
  if (text === undefined) return otherwise;
  const token = parseToken(text);
  return isRefusal(token) ? token : positionIn(token, STREAM).position;
}

const BY_ROOM = Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown()));

/** How the caller's subscriptions to threads have changed, the newest first: of each thread the last change. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/unstable/io.element.msc4308/thread_subscriptions',
  spec: 'MSC4308, GET /_matrix/client/v1/thread_subscriptions',
  auth: 'user',
  rateLimit: 'reading',
  query: Type.Object({
    dir: Type.Optional(Type.String()),
    from: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer()),
  }),
  reply: Type.Object({
    subscribed: Type.Optional(BY_ROOM),
    unsubscribed: Type.Optional(BY_ROOM),
    end: Type.Optional(Type.String()),
  }),
  needs: ['db', 'streams'],
  async handle({ query, caller, services }) {
    if (query.dir === undefined) return refuse('M_MISSING_PARAM', 'dir: missing');
    if (query.dir !== 'b') return refuse('M_INVALID_PARAM', 'dir: there is no way but backward, "b"');
    const { limit: wanted = LIMIT_DEFAULT } = query;
    if (wanted < 1) return refuse('M_INVALID_PARAM', 'limit: at least 1');
    const upTo = positionOf(query.from, services.streams.currentToken(STREAM));
    if (isRefusal(upTo)) return upTo;
    const after = positionOf(query.to, 0);
    if (isRefusal(after)) return after;
    const limit = Math.min(wanted, LIMIT_MAX);
    const range = { userId: caller.userId, after, upTo, limit: limit + 1 };
    const changes = await readSubscriptionChanges(services.db, range);
    const last = changes.length > limit ? changes[limit - 1] : undefined;
    return {
      ...subscriptionsByRoom(changes.slice(0, limit)),
      ...(last !== undefined && { end: pageToken(last.position - 1) }),
    };
  },
});
