import { Type } from 'typebox';
import { findDehydratedDevice } from '../../../../db/accounts/dehydrated-reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** The dehydrated device of the caller. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device',
  spec: 'MSC3814',
  auth: 'user',
  rateLimit: 'reading',
  reply: Type.Object({ device_id: Type.String(), device_data: ANY_OBJECT }),
  needs: ['db'],
  async handle({ caller, services }) {
    const device = await findDehydratedDevice(services.db, caller.userId);
    if (device === undefined) return refuse('M_NOT_FOUND', 'You have no dehydrated device.');
    return new JsonText(
      `{"device_id":${JSON.stringify(device.deviceId)},"device_data":${device.deviceData}}`,
    );
  },
});
