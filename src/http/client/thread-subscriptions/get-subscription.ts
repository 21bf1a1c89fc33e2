import { Type } from 'typebox';
import { findThreadSubscription } from '../../../../db/thread-subscriptions/reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { refuseUnknownThread, THREAD_PARAMS } from './find-thread.ts';

/** The caller's subscription to a thread. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{rootId}/subscription',
  spec: 'MSC4306, GET /_matrix/client/v1/rooms/{roomId}/thread/{eventId}/subscription',
  auth: 'user',
  rateLimit: null,
  params: THREAD_PARAMS,
  reply: Type.Object({ automatic: Type.Boolean() }),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, caller, services }) {
    const { userId } = caller;
    const unknown = await refuseUnknownThread(services, userId, params);
    if (unknown !== undefined) return unknown;
    const found = await findThreadSubscription(services.db, { userId, ...params });
    if (found?.isSubscribed !== true) return refuse('M_NOT_FOUND', 'You have not subscribed to this thread.');
    return { automatic: found.isAutomatic };
  },
});
