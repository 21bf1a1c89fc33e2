import { Type } from 'typebox';
import { findDehydratedDevice } from '../../../../db/accounts/dehydrated-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';

/** Deletes the dehydrated device of the caller, with all that belongs to it. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device',
  spec: 'MSC3814',
  auth: 'user',
  rateLimit: 'message',
  reply: Type.Object({ device_id: Type.String() }),
  needs: ['accounts', 'db', 'streams'],
  async handle({ caller, services }) {
    const { userId } = caller;
    const device = await findDehydratedDevice(services.db, userId);
    if (device === undefined) return refuse('M_NOT_FOUND', 'You have no dehydrated device.');
    const { deviceId } = device;
    const gone = await services.accounts.ask('accounts.delete-devices', { userId, deviceIds: [deviceId] });
    if (isRefusal(gone)) return gone;
    await seeOwnEffects(services.streams, gone.marks);
    return { device_id: deviceId };
  },
});
