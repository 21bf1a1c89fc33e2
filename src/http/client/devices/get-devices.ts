import { Type } from 'typebox';
import { readDevices } from '../../../../db/accounts/reader.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { DeviceJson, toDeviceJson } from './device-json.ts';

/** All devices of the caller. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/devices',
  aliases: ['/_matrix/client/r0/devices'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/devices',
  auth: 'user',
  allows: ['guest'],
  rateLimit: null,
  reply: Type.Object({ devices: Type.Array(DeviceJson) }),
  needs: ['db'],
  async handle({ caller, services }) {
    const devices = await readDevices(services.db, caller.userId);
    return { devices: devices.map(toDeviceJson) };
  },
});
