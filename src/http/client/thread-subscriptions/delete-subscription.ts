import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { refuseUnknownThread, THREAD_PARAMS } from './find-thread.ts';

/** Ends the caller's subscription to a thread; without one it does nothing. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{rootId}/subscription',
  spec: 'MSC4306, DELETE /_matrix/client/v1/rooms/{roomId}/thread/{eventId}/subscription',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: THREAD_PARAMS,
  reply: NOTHING,
  needs: ['db', 'cached', 'streams', 'clock', 'thread-subscriptions'],
  async handle({ params, caller, services }) {
    const { userId } = caller;
    const unknown = await refuseUnknownThread(services, userId, params);
    if (unknown !== undefined) return unknown;
    const owner = services['thread-subscriptions'];
    const stored = await owner.ask('thread-subscriptions.unsubscribe', { userId, ...params });
    if (isRefusal(stored)) return stored;
    await services.streams.reached('thread-subscriptions', stored.position);
    return {};
  },
});
