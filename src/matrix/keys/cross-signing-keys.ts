import { isJsonObject, type JsonObject } from '../../kit/json.ts';
import { canonicalJsonWithout } from '../events/canonical-json.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { parseVerifyKey, type VerifyKey } from '../signing.ts';

/** What a cross-signing key is for, as its `usage` says. */
export type CrossSigningUsage = 'master' | 'self_signing' | 'user_signing';

/** The largest cross-signing key, in bytes of its JSON. */
export const CROSS_SIGNING_KEY_BYTES_MAX = 16 * 1024;

const UNSIGNED: ReadonlySet<string> = new Set(['unsigned']);

/** A cross-signing key whose form is right; who has signed it is not checked. */
export interface CrossSigningKey {
  /** Unpadded base64. */
  readonly publicKey: string;
  /** Canonical JSON text without `unsigned`. */
  readonly text: string;
}

/** The public half of a cross-signing key. */
export function verifyKeyOfCrossSigning(publicKey: string): VerifyKey {
  const key = parseVerifyKey(`ed25519:${publicKey}`, publicKey);
  if (key === undefined) throw new Error(`${publicKey} was stored as a cross-signing key and is none`);
  return key;
}

/**
 * Checks the form of a cross-signing key.
 * Client-Server API v1.19, `POST /_matrix/client/v3/keys/device_signing/upload`.
 *
 * @returns the key; or M_INVALID_PARAM, M_BAD_JSON, M_TOO_LARGE
 */
export function parseCrossSigningKey(
  key: JsonObject,
  userId: string,
  usage: CrossSigningUsage,
): CrossSigningKey | Refusal {
  const field = `${usage}_key`;
  if (key['user_id'] !== userId)
    return refuse('M_INVALID_PARAM', `${field}.user_id: is not who is logged in`);
  const usages = key['usage'];
  if (!Array.isArray(usages) || !usages.includes(usage))
    return refuse('M_INVALID_PARAM', `${field}.usage: does not hold "${usage}"`);
  const entries = isJsonObject(key['keys']) ? Object.entries(key['keys']) : [];
  const [name, publicKey] = entries[0] ?? [];
  if (entries.length !== 1 || name === undefined || typeof publicKey !== 'string')
    return refuse('M_INVALID_PARAM', `${field}.keys: holds exactly one key`);
  if (name !== `ed25519:${publicKey}` || parseVerifyKey(name, publicKey) === undefined)
    return refuse('M_INVALID_PARAM', `${field}.keys: is not ed25519:<public key> with the same public key`);
  const text = canonicalJsonWithout(key, UNSIGNED);
  if (text === undefined) return refuse('M_BAD_JSON', `${field}: cannot be written as canonical JSON`);
  if (Buffer.byteLength(text) > CROSS_SIGNING_KEY_BYTES_MAX)
    return refuse('M_TOO_LARGE', `${field}: has more than ${CROSS_SIGNING_KEY_BYTES_MAX} bytes`);
  return { publicKey, text };
}
