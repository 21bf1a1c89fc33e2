import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';

/** Ends all access tokens of the caller, and all devices with them. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/logout/all',
  aliases: ['/_matrix/client/r0/logout/all'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/logout/all',
  auth: 'user',
  allows: ['guest', 'suspended', 'locked'],
  rateLimit: null,
  reply: Type.Object({}),
  needs: ['accounts', 'streams'],
  async handle({ caller, services }) {
    const { userId } = caller;
    const changed = await services.accounts.ask('accounts.delete-all-devices', { userId });
    if (isRefusal(changed)) return changed;
    await seeOwnEffects(services.streams, changed.marks);
    return {};
  },
});
