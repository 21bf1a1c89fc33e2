import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import { canonicalJson } from '../events/canonical-json.ts';
import { type Refusal, refuse } from '../refusal.ts';

/** The largest one-time or fallback key, in bytes of its JSON. */
export const KEY_BYTES_MAX = 4 * 1024;

/** `<algorithm>:<key id>` */
const KEY_NAME = /^([A-Za-z0-9_.-]{1,100}):([^\s]{1,100})$/;

/** A key out of `one_time_keys` or `fallback_keys`. */
export interface UploadedKey {
  readonly algorithm: string;
  readonly keyId: string;
  /** Canonical JSON text: a JSON string, or an object with `key` and `signatures`. */
  readonly key: string;
}

function hasKeyForm(key: Json): boolean {
  if (typeof key === 'string') return true;
  return isJsonObject(key) && typeof key['key'] === 'string' && isJsonObject(key['signatures']);
}

/**
 * Checks one-time or fallback keys. Their signatures are for whoever claims them to check: only that tells something about the server.
 * Client-Server API v1.19, "One-time and fallback keys".
 *
 * @param field where they stand in the body
 * @returns the keys in their order; or M_BAD_JSON, M_TOO_LARGE
 */
export function parseUploadedKeys(field: string, keys: JsonObject): readonly UploadedKey[] | Refusal {
  const parsed: UploadedKey[] = [];
  for (const [name, key] of Object.entries(keys)) {
    const [, algorithm, keyId] = KEY_NAME.exec(name) ?? [];
    if (algorithm === undefined || keyId === undefined)
      return refuse('M_BAD_JSON', `${field}: a key is named <algorithm>:<key id>`);
    const text = hasKeyForm(key) ? canonicalJson(key) : undefined;
    if (text === undefined)
      return refuse(
        'M_BAD_JSON',
        `${field}.${name}: is neither a text nor an object with key and signatures`,
      );
    if (Buffer.byteLength(text) > KEY_BYTES_MAX)
      return refuse('M_TOO_LARGE', `${field}.${name}: has more than ${KEY_BYTES_MAX} bytes`);
    parsed.push({ algorithm, keyId, key: text });
  }
  return parsed;
}
