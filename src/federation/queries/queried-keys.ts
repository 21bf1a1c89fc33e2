import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import { DEVICES_PER_USER_MAX, parseRemoteDevice, parseRemoteSigningKey } from './device-list.ts';

/** The keys of one user. */
export interface QueriedKeys {
  readonly userId: string;
  readonly deviceKeys: Readonly<Record<string, JsonObject>>;
  readonly masterKey: JsonObject | null;
  readonly selfSigningKey: JsonObject | null;
}

function entryOf(body: JsonObject, field: string, userId: string): Json | undefined {
  const byUser = body[field];
  return isJsonObject(byUser) && Object.hasOwn(byUser, userId) ? byUser[userId] : undefined;
}

function nameIn(keys: Json): Json | undefined {
  if (!isJsonObject(keys) || !isJsonObject(keys['unsigned'])) return undefined;
  return keys['unsigned']['device_display_name'];
}

/**
 * Reads the answer of `POST /_matrix/federation/v1/user/keys/query`: of those users who were asked for, and no others.
 * Server-Server API v1.19, "End-to-End Encryption".
 */
export function parseQueriedKeys(body: JsonObject, userIds: readonly string[]): QueriedKeys[] {
  return userIds.flatMap((userId) => {
    const devices = entryOf(body, 'device_keys', userId);
    if (!isJsonObject(devices)) return [];
    const parsed = Object.entries(devices)
      .slice(0, DEVICES_PER_USER_MAX)
      .flatMap(([deviceId, keys]) => {
        const device = parseRemoteDevice(keys, userId, deviceId, nameIn(keys));
        return device === undefined ? [] : [[deviceId, device] as const];
      });
    return [
      {
        userId,
        deviceKeys: Object.fromEntries(parsed),
        masterKey: parseRemoteSigningKey(entryOf(body, 'master_keys', userId), userId, 'master'),
        selfSigningKey: parseRemoteSigningKey(
          entryOf(body, 'self_signing_keys', userId),
          userId,
          'self_signing',
        ),
      },
    ];
  });
}
