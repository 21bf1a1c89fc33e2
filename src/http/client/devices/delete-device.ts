import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { AuthData, authenticateInteractively, PASSWORD_FLOWS } from '../../kit/user-interactive-auth.ts';

/** Deletes a device of the caller and its access tokens. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/v3/devices/{deviceId}',
  aliases: ['/_matrix/client/r0/devices/{deviceId}'],
  spec: 'Client-Server API v1.19, DELETE /_matrix/client/v3/devices/{deviceId}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'login',
  params: Type.Object({ deviceId: Type.String() }),
  body: Type.Object({ auth: Type.Optional(AuthData) }),
  reply: Type.Object({}),
  needs: ['accounts', 'config', 'db', 'pool', 'streams'],
  async handle({ body, caller, params, services }) {
    const { userId } = caller;
    const { deviceId } = params;
    const auth = await authenticateInteractively(services, {
      endpoint: `DELETE /_matrix/client/v3/devices/${encodeURIComponent(deviceId)}`,
      userId,
      body,
      flows: PASSWORD_FLOWS,
    });
    if (auth.kind !== 'passed') return auth;
    const changed = await services.accounts.ask('accounts.delete-devices', { userId, deviceIds: [deviceId] });
    if (isRefusal(changed)) return changed;
    await seeOwnEffects(services.streams, changed.marks);
    return {};
  },
});
