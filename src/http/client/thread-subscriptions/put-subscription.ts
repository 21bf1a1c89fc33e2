import { Type } from 'typebox';
import { isJsonObject } from '../../../kit/json.ts';
import { relationOf } from '../../../matrix/events/relation.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findVisibleEvent } from '../rooms/find-visible-event.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { refuseUnknownThread, THREAD_PARAMS } from './find-thread.ts';

/**
 * Where the event stands for which a client subscribes its user to a thread: it has to be in the thread. The first event of a thread is not.
 *
 * @returns its position on the events stream; refused with 404 M_NOT_FOUND, 400 IO.ELEMENT.MSC4306.M_NOT_IN_THREAD
 */
async function findCausePlace(
  services: ReadServices,
  userId: string,
  { roomId, rootId, cause }: { readonly roomId: string; readonly rootId: string; readonly cause: string },
): Promise<number | Refusal> {
  const found = await findVisibleEvent(services, userId, roomId, cause);
  if (found === undefined)
    return refuse('M_NOT_FOUND', 'automatic: there is no such event, or you may not see it');
  const { content } = found.event;
  const relation = isJsonObject(content) ? relationOf(content) : null;
  if (relation?.relType !== 'm.thread' || relation.parentId !== rootId)
    return refuse('IO.ELEMENT.MSC4306.M_NOT_IN_THREAD', 'automatic: the event is not in this thread');
  return found.entry.position;
}

/** Subscribes the caller to a thread: because the caller wants to, or because of an event of the thread. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{rootId}/subscription',
  spec: 'MSC4306, PUT /_matrix/client/v1/rooms/{roomId}/thread/{eventId}/subscription',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: THREAD_PARAMS,
  body: Type.Object({ automatic: Type.Optional(Type.String()) }),
  reply: NOTHING,
  needs: ['db', 'cached', 'streams', 'clock', 'thread-subscriptions'],
  async handle({ params, body, caller, services }) {
    const { userId } = caller;
    const { automatic: cause } = body;
    const unknown = await refuseUnknownThread(services, userId, params);
    if (unknown !== undefined) return unknown;
    const causePlace =
      cause === undefined ? null : await findCausePlace(services, userId, { ...params, cause });
    if (isRefusal(causePlace)) return causePlace;
    const owner = services['thread-subscriptions'];
    const stored = await owner.ask('thread-subscriptions.subscribe', { userId, ...params, causePlace });
    if (isRefusal(stored)) return stored;
    await services.streams.reached('thread-subscriptions', stored.position);
    return {};
  },
});
