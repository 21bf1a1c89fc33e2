import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { checkNames, parsePusher, PUSHER_BODY } from './pusher-form.ts';

/** Sets a pusher of the caller, changes it, or deletes it. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/pushers/set',
  aliases: ['/_matrix/client/r0/pushers/set'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/pushers/set',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  body: PUSHER_BODY,
  reply: NOTHING,
  needs: ['config', 'push'],
  async handle({ body, caller, services }) {
    const { userId, deviceId } = caller;
    if (body.kind === null) {
      const { app_id: appId, pushkey } = body;
      const refusal = checkNames(body);
      if (refusal !== undefined) return refusal;
      const deleted = await services.push.ask('push.delete-pusher', { userId, appId, pushkey });
      return isRefusal(deleted) ? deleted : {};
    }
    const pusher = parsePusher(body, { userId, deviceId }, services.config.push.allowPrivateAddresses);
    if (isRefusal(pusher)) return pusher;
    const stored = await services.push.ask('push.set-pusher', { pusher, isOnly: body.append !== true });
    return isRefusal(stored) ? stored : {};
  },
});
