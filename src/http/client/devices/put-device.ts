import { Type } from 'typebox';
import { findDevice } from '../../../../db/accounts/reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { checkDeviceName } from '../login/device-fields.ts';

/** Gives a device of the caller another name. A body without a name changes nothing. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/devices/{deviceId}',
  aliases: ['/_matrix/client/r0/devices/{deviceId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/devices/{deviceId}',
  auth: 'user',
  allows: ['guest', 'suspended'],
  rateLimit: null,
  params: Type.Object({ deviceId: Type.String() }),
  body: Type.Object({ display_name: Type.Optional(Type.String()) }),
  reply: Type.Object({}),
  needs: ['accounts', 'db', 'streams'],
  async handle({ body, caller, params, services }) {
    const { accounts, db, streams } = services;
    const { userId } = caller;
    const { deviceId } = params;
    const displayName = body.display_name;
    if (displayName === undefined) {
      const device = await findDevice(db, userId, deviceId);
      return device === undefined ? refuse('M_NOT_FOUND', 'There is no such device.') : {};
    }
    const problem = checkDeviceName(displayName);
    if (problem !== undefined) return problem;
    const changed = await accounts.ask('accounts.rename-device', { userId, deviceId, displayName });
    if (isRefusal(changed)) return changed;
    await seeOwnEffects(streams, changed.marks);
    return {};
  },
});
