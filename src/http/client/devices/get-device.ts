import { Type } from 'typebox';
import { findDevice } from '../../../../db/accounts/reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { DeviceJson, toDeviceJson } from './device-json.ts';

/** One device of the caller. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/devices/{deviceId}',
  aliases: ['/_matrix/client/r0/devices/{deviceId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/devices/{deviceId}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: null,
  params: Type.Object({ deviceId: Type.String() }),
  reply: DeviceJson,
  needs: ['db'],
  async handle({ caller, params, services }) {
    const device = await findDevice(services.db, caller.userId, params.deviceId);
    return device === undefined ? refuse('M_NOT_FOUND', 'There is no such device.') : toDeviceJson(device);
  },
});
