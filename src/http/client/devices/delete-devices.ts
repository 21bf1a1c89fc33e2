import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { AuthData, authenticateInteractively, PASSWORD_FLOWS } from '../../kit/user-interactive-auth.ts';

/** How many devices one request may name: more than a user can have. */
export const DEVICES_PER_REQUEST_MAX = 1_000;

/** Deletes several devices of the caller and their access tokens. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/delete_devices',
  aliases: ['/_matrix/client/r0/delete_devices'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/delete_devices',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'login',
  body: Type.Object({
    auth: Type.Optional(AuthData),
    devices: Type.Array(Type.String(), { maxItems: DEVICES_PER_REQUEST_MAX }),
  }),
  reply: Type.Object({}),
  needs: ['accounts', 'config', 'db', 'pool', 'streams'],
  async handle({ body, caller, services }) {
    const { userId } = caller;
    const auth = await authenticateInteractively(services, {
      endpoint: 'POST /_matrix/client/v3/delete_devices',
      userId,
      body,
      flows: PASSWORD_FLOWS,
    });
    if (auth.kind !== 'passed') return auth;
    const deviceIds = body.devices;
    const changed = await services.accounts.ask('accounts.delete-devices', { userId, deviceIds });
    if (isRefusal(changed)) return changed;
    await seeOwnEffects(services.streams, changed.marks);
    return {};
  },
});
