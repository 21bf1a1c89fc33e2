import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';

/** Ends the access token of the request, and its device with it. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/logout',
  aliases: ['/_matrix/client/r0/logout'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/logout',
  auth: 'user',
  allows: ['guest', 'suspended', 'locked'],
  rateLimit: null,
  reply: Type.Object({}),
  needs: ['accounts', 'streams'],
  async handle({ caller, services }) {
    const { userId, deviceId } = caller;
    const changed = await services.accounts.ask('accounts.delete-devices', { userId, deviceIds: [deviceId] });
    if (isRefusal(changed)) return changed;
    await seeOwnEffects(services.streams, changed.marks);
    return {};
  },
});
