import { Type } from 'typebox';
import { readOneTimeKeyCounts } from '../../../../db/keys/reader.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { checkDeviceKeys } from '../../../matrix/keys/device-keys.ts';
import { parseUploadedKeys } from '../../../matrix/keys/one-time-keys.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** Publishes keys of the caller's device. A body without keys only asks for the counts. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/keys/upload',
  aliases: ['/_matrix/client/r0/keys/upload'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/keys/upload',
  auth: 'user',
  allows: ['guest', 'suspended'],
  rateLimit: null,
  body: Type.Object({
    device_keys: Type.Optional(ANY_OBJECT),
    one_time_keys: Type.Optional(ANY_OBJECT),
    fallback_keys: Type.Optional(ANY_OBJECT),
  }),
  reply: Type.Object({ one_time_key_counts: Type.Record(Type.String(), Type.Integer()) }),
  needs: ['db', 'keys', 'streams'],
  async handle({ body, caller, services }) {
    const { userId, deviceId } = caller;
    const given = body.device_keys as JsonObject | undefined;
    const deviceKeys = given === undefined ? null : checkDeviceKeys(given, userId, deviceId);
    if (isRefusal(deviceKeys)) return deviceKeys;
    const oneTimeKeys = parseUploadedKeys('one_time_keys', (body.one_time_keys ?? {}) as JsonObject);
    if (isRefusal(oneTimeKeys)) return oneTimeKeys;
    const fallbackKeys = parseUploadedKeys('fallback_keys', (body.fallback_keys ?? {}) as JsonObject);
    if (isRefusal(fallbackKeys)) return fallbackKeys;
    if (deviceKeys === null && oneTimeKeys.length + fallbackKeys.length === 0)
      return { one_time_key_counts: await readOneTimeKeyCounts(services.db, userId, deviceId) };
    const stored = await services.keys.ask('keys.upload', {
      userId,
      deviceId,
      deviceKeys: deviceKeys?.text ?? null,
      oneTimeKeys,
      fallbackKeys,
    });
    if (isRefusal(stored)) return stored;
    await seeOwnEffects(services.streams, stored.marks);
    return { one_time_key_counts: stored.counts };
  },
});
