import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { checkDeviceKeys } from '../../../matrix/keys/device-keys.ts';
import { parseUploadedKeys } from '../../../matrix/keys/one-time-keys.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** The largest `device_data`, in bytes: an encrypted account with its private one-time keys. */
const DEVICE_DATA_BYTES_MAX = 262_144;

/** Stores a dehydrated device of the caller in the place of the one before. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device',
  spec: 'MSC3814',
  auth: 'user',
  rateLimit: 'message',
  body: Type.Object({
    device_id: Type.String({ minLength: 1, maxLength: 255 }),
    device_data: Type.Intersect([Type.Object({ algorithm: Type.String() }), ANY_OBJECT]),
    initial_device_display_name: Type.Optional(Type.String({ maxLength: 512 })),
    device_keys: ANY_OBJECT,
    one_time_keys: Type.Optional(ANY_OBJECT),
    fallback_keys: Type.Optional(ANY_OBJECT),
  }),
  reply: Type.Object({ device_id: Type.String() }),
  needs: ['accounts', 'keys', 'streams'],
  async handle({ body, caller, services }) {
    const { userId } = caller;
    const deviceId = body.device_id;
    const deviceData = JSON.stringify(body.device_data);
    if (Buffer.byteLength(deviceData) > DEVICE_DATA_BYTES_MAX)
      return refuse('M_TOO_LARGE', `device_data: at most ${DEVICE_DATA_BYTES_MAX} bytes`);
    const deviceKeys = checkDeviceKeys(body.device_keys as JsonObject, userId, deviceId);
    if (isRefusal(deviceKeys)) return deviceKeys;
    const oneTimeKeys = parseUploadedKeys('one_time_keys', (body.one_time_keys ?? {}) as JsonObject);
    if (isRefusal(oneTimeKeys)) return oneTimeKeys;
    const fallbackKeys = parseUploadedKeys('fallback_keys', (body.fallback_keys ?? {}) as JsonObject);
    if (isRefusal(fallbackKeys)) return fallbackKeys;
    const displayName = body.initial_device_display_name ?? null;
    const made = await services.accounts.ask('accounts.store-dehydrated-device', {
      userId,
      deviceId,
      displayName,
      deviceData,
    });
    if (isRefusal(made)) return made;
    const keys = { deviceKeys: deviceKeys.text, oneTimeKeys, fallbackKeys };
    const stored = await services.keys.ask('keys.upload', { userId, deviceId, ...keys });
    if (isRefusal(stored)) {
      // Nobody could send it anything.
      await services.accounts.ask('accounts.delete-devices', { userId, deviceIds: [deviceId] });
      return stored;
    }
    await seeOwnEffects(services.streams, [...made.marks, ...stored.marks]);
    return { device_id: deviceId };
  },
});
