import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import { canonicalJson, canonicalJsonWithout } from '../events/canonical-json.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { parseVerifyKey, type VerifyKey, verifyJson } from '../signing.ts';

/** The largest keys of one device, in bytes of their JSON. */
export const DEVICE_KEYS_BYTES_MAX = 64 * 1024;

const UNSIGNED: ReadonlySet<string> = new Set(['unsigned']);
const NOT_COMPARED: ReadonlySet<string> = new Set(['unsigned', 'signatures']);

/** The key with which a device signs. */
export function signingKeyOfDevice(keys: JsonObject, deviceId: string): VerifyKey | undefined {
  const keyId = `ed25519:${deviceId}`;
  const published = keys['keys'];
  const text = isJsonObject(published) && Object.hasOwn(published, keyId) ? published[keyId] : undefined;
  return typeof text === 'string' ? parseVerifyKey(keyId, text) : undefined;
}

function isTextList(value: Json | undefined): boolean {
  return Array.isArray(value) && value.every((item: Json) => typeof item === 'string');
}

/**
 * Checks the keys that a device publishes of itself, with its signature.
 * Client-Server API v1.19, "Device keys", `POST /_matrix/client/v3/keys/upload`.
 *
 * @returns canonical JSON text without `unsigned`; or M_INVALID_PARAM (another's keys), M_BAD_JSON, M_TOO_LARGE, M_INVALID_SIGNATURE
 */
export function checkDeviceKeys(
  keys: JsonObject,
  userId: string,
  deviceId: string,
): { readonly text: string } | Refusal {
  if (keys['user_id'] !== userId)
    return refuse('M_INVALID_PARAM', 'device_keys.user_id: is not who is logged in');
  if (keys['device_id'] !== deviceId)
    return refuse('M_INVALID_PARAM', 'device_keys.device_id: is not the device that is logged in');
  if (!isTextList(keys['algorithms']))
    return refuse('M_BAD_JSON', 'device_keys.algorithms: is not a list of texts');
  const published = keys['keys'];
  if (!isJsonObject(published)) return refuse('M_BAD_JSON', 'device_keys.keys: is not an object');
  for (const [name, key] of Object.entries(published))
    if (typeof key !== 'string' || !name.endsWith(`:${deviceId}`))
      return refuse('M_BAD_JSON', `device_keys.keys: "${name}" is not <algorithm>:<device id> with a text`);
  const signer = signingKeyOfDevice(keys, deviceId);
  if (signer === undefined)
    return refuse('M_INVALID_PARAM', 'device_keys.keys: there is no ed25519 key of the device');
  const text = canonicalJsonWithout(keys, UNSIGNED);
  if (text === undefined) return refuse('M_BAD_JSON', 'device_keys: cannot be written as canonical JSON');
  if (Buffer.byteLength(text) > DEVICE_KEYS_BYTES_MAX)
    return refuse('M_TOO_LARGE', `device_keys: has more than ${DEVICE_KEYS_BYTES_MAX} bytes`);
  if (!verifyJson(keys, userId, signer))
    return refuse(
      'M_INVALID_SIGNATURE',
      'device_keys.signatures: there is no valid one of the device itself',
    );
  return { text };
}

/** Do two texts of one device hold the same public keys? Everything else about a device may change. */
export function haveSameKeys(left: string, right: string): boolean {
  const keysOf = (text: string): string | undefined =>
    canonicalJson((JSON.parse(text) as JsonObject)['keys'] ?? null);
  return keysOf(left) === keysOf(right);
}

/** Is `signed` the object that is stored, whatever signatures they carry? */
export function isSameButSignatures(stored: JsonObject, signed: JsonObject): boolean {
  const text = canonicalJsonWithout(signed, NOT_COMPARED);
  return text !== undefined && text === canonicalJsonWithout(stored, NOT_COMPARED);
}
