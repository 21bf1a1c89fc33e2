import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import { CROSS_SIGNING_KEY_BYTES_MAX } from '../../matrix/keys/cross-signing-keys.ts';
import { DEVICE_KEYS_BYTES_MAX } from '../../matrix/keys/device-keys.ts';

/** Devices of one remote user that are looked at. */
export const DEVICES_PER_USER_MAX = 1_000;
/** The longest device id, in UTF-16 units. */
const DEVICE_ID_LENGTH_MAX = 512;
/** The longest name of a device that is kept, in UTF-16 units. */
const DISPLAY_NAME_LENGTH_MAX = 256;
/** Earlier updates that one update may name. */
const PREVIOUS_MAX = 100;

/** A remote user's devices as their server lists them. */
export interface RemoteList {
  readonly streamId: number;
  /** Of devices with keys, by device id: the keys with the device's name under `unsigned`. */
  readonly devices: ReadonlyMap<string, JsonObject>;
  readonly masterKey: JsonObject | null;
  readonly selfSigningKey: JsonObject | null;
}

/** An `m.device_list_update`. */
export interface RemoteUpdate {
  readonly userId: string;
  readonly deviceId: string;
  readonly streamId: number;
  /** The updates that came before; none for the first that is told. */
  readonly previous: readonly number[];
  /** Null: the device is gone, or has none. */
  readonly keys: JsonObject | null;
}

function isStreamId(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isDeviceId(value: Json | undefined): value is string {
  return typeof value === 'string' && value !== '' && value.length <= DEVICE_ID_LENGTH_MAX;
}

/**
 * Reads the keys of a remote device. Whether the device has signed them is for clients to check, who alone know whom they trust.
 *
 * @param name the device's name as its server tells it, if it does
 * @returns undefined for none, and for keys that are another device's
 */
export function parseRemoteDevice(
  keys: Json | undefined,
  userId: string,
  deviceId: string,
  name: Json | undefined,
): JsonObject | undefined {
  if (!isJsonObject(keys) || keys['user_id'] !== userId || keys['device_id'] !== deviceId) return undefined;
  if (!isJsonObject(keys['keys']) || !Array.isArray(keys['algorithms'])) return undefined;
  const { unsigned: _, ...signed } = keys;
  if (Buffer.byteLength(JSON.stringify(signed)) > DEVICE_KEYS_BYTES_MAX) return undefined;
  const shown =
    typeof name === 'string' ? { device_display_name: name.slice(0, DISPLAY_NAME_LENGTH_MAX) } : {};
  return { ...signed, unsigned: shown };
}

/** Reads a cross-signing key of a remote user; null for none and for another user's or another purpose's. */
export function parseRemoteSigningKey(
  key: Json | undefined,
  userId: string,
  usage: 'master' | 'self_signing',
): JsonObject | null {
  if (!isJsonObject(key) || key['user_id'] !== userId || !isJsonObject(key['keys'])) return null;
  const usages = key['usage'];
  if (!Array.isArray(usages) || !usages.includes(usage)) return null;
  return Buffer.byteLength(JSON.stringify(key)) > CROSS_SIGNING_KEY_BYTES_MAX ? null : key;
}

/** The public halves in a cross-signing key, under which its change is announced. */
export function publicKeysOf(key: JsonObject): readonly string[] {
  const keys = isJsonObject(key['keys']) ? Object.values(key['keys']) : [];
  return keys.filter((value): value is string => typeof value === 'string').slice(0, 1);
}

/**
 * Reads the answer of `GET /_matrix/federation/v1/user/devices/{userId}`. Devices that are not in order are passed over.
 * Server-Server API v1.19, "Device Management".
 *
 * @returns undefined when it is no such answer
 */
export function parseDeviceList(body: JsonObject, userId: string): RemoteList | undefined {
  const { stream_id: streamId, devices } = body;
  if (body['user_id'] !== userId || !isStreamId(streamId) || !Array.isArray(devices)) return undefined;
  const parsed = new Map<string, JsonObject>();
  for (const device of (devices as readonly Json[]).slice(0, DEVICES_PER_USER_MAX)) {
    if (!isJsonObject(device) || !isDeviceId(device['device_id'])) continue;
    const { device_id: deviceId } = device;
    const keys = parseRemoteDevice(device['keys'], userId, deviceId, device['device_display_name']);
    if (keys !== undefined) parsed.set(deviceId, keys);
  }
  return {
    streamId,
    devices: parsed,
    masterKey: parseRemoteSigningKey(body['master_key'], userId, 'master'),
    selfSigningKey: parseRemoteSigningKey(body['self_signing_key'], userId, 'self_signing'),
  };
}

/**
 * Reads the content of an `m.device_list_update`.
 * Server-Server API v1.19, "Device Management".
 *
 * @returns undefined when it is none
 */
export function parseDeviceListUpdate(content: JsonObject): RemoteUpdate | undefined {
  const { user_id: userId, device_id: deviceId, stream_id: streamId, prev_id: previous = [] } = content;
  if (typeof userId !== 'string' || !isDeviceId(deviceId) || !isStreamId(streamId)) return undefined;
  if (!Array.isArray(previous) || previous.length > PREVIOUS_MAX) return undefined;
  const isGone = content['deleted'] === true;
  const name = content['device_display_name'];
  const keys = isGone ? undefined : parseRemoteDevice(content['keys'], userId, deviceId, name);
  return {
    userId,
    deviceId,
    streamId,
    previous: (previous as readonly Json[]).filter(isStreamId),
    keys: keys ?? null,
  };
}
