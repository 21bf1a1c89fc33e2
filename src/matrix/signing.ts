import { isJsonObject } from '../kit/json.ts';
import type { JsonObject } from '../kit/json.ts';
import { ed25519PublicKey, ed25519Sign, ed25519Verify, ED25519_KEY_BYTES } from './ed25519.ts';
import { canonicalJsonWithout } from './events/canonical-json.ts';
import type { CanonicalMode } from './events/canonical-json.ts';
import { decodeBase64, encodeBase64 } from './events/unpadded-base64.ts';

/** An ed25519 key of this server. */
export interface ServerKey {
  /** `ed25519:…` */
  readonly keyId: string;
  /** The 32-byte seed. */
  readonly seed: Uint8Array;
}

/** The public half of a key, of any server. */
export interface VerifyKey {
  /** `ed25519:…` */
  readonly keyId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

const UNSIGNED_KEYS: ReadonlySet<string> = new Set(['signatures', 'unsigned']);
const KEY_VERSION = /^[A-Za-z0-9_]{1,128}$/;

/**
 * Makes a key of this server.
 *
 * @param seed 32 random bytes
 * @param keyVersion what follows `ed25519:` in the key's id: 1 to 128 of `A-Z a-z 0-9 _`
 */
export function makeServerKey(seed: Uint8Array, keyVersion: string): ServerKey {
  if (seed.length !== ED25519_KEY_BYTES) throw new Error(`an ed25519 seed has 32 bytes, not ${seed.length}`);
  if (!KEY_VERSION.test(keyVersion)) throw new Error(`not a key version: ${keyVersion}`);
  return { keyId: `ed25519:${keyVersion}`, seed: Uint8Array.from(seed) };
}

/** The public half of a key of this server. */
export function verifyKeyOf(key: ServerKey): VerifyKey {
  return { keyId: key.keyId, publicKey: ed25519PublicKey(key.seed) };
}

/**
 * Reads a public key out of unpadded base64.
 *
 * @returns undefined when it is not 32 bytes, or another algorithm than ed25519
 */
export function parseVerifyKey(keyId: string, publicKey: string): VerifyKey | undefined {
  const bytes = decodeBase64(publicKey);
  if (!keyId.startsWith('ed25519:') || bytes?.length !== ED25519_KEY_BYTES) return undefined;
  return { keyId, publicKey: bytes };
}

/** Signs a text; the signature as unpadded base64. */
export function signText(text: string, key: ServerKey): string {
  return encodeBase64(ed25519Sign(key.seed, Buffer.from(text)));
}

/** True when `signature`, in base64, is the text's signature by the key. */
export function verifyText(text: string, signature: string, key: VerifyKey): boolean {
  const bytes = decodeBase64(signature);
  return bytes !== undefined && ed25519Verify(key.publicKey, Buffer.from(text), bytes);
}

/**
 * Adds a server's signature to a JSON object; `unsigned` and signatures that are there stay and are not signed.
 * Appendices v1.19, "Signing JSON".
 *
 * @param object must be writable as canonical JSON: throws otherwise, for we sign only what we have made or checked
 */
export function signJson(
  object: JsonObject,
  serverName: string,
  key: ServerKey,
  mode: CanonicalMode = 'strict',
): JsonObject {
  const text = canonicalJsonWithout(object, UNSIGNED_KEYS, mode);
  if (text === undefined) throw new Error('what shall be signed is not canonical JSON');
  return withSignature(object, serverName, key.keyId, signText(text, key));
}

/** Adds a finished signature to the `signatures` of an object. */
export function withSignature<T extends JsonObject>(
  object: T,
  serverName: string,
  keyId: string,
  signature: string,
): T & { readonly signatures: JsonObject } {
  const signatures = isJsonObject(object['signatures']) ? object['signatures'] : {};
  const ofServer = isJsonObject(signatures[serverName]) ? signatures[serverName] : {};
  return { ...object, signatures: { ...signatures, [serverName]: { ...ofServer, [keyId]: signature } } };
}

/**
 * True when the object carries a valid signature of `serverName` by `key`.
 * Appendices v1.19, "Checking for a Signature".
 */
export function verifyJson(
  object: JsonObject,
  serverName: string,
  key: VerifyKey,
  mode: CanonicalMode = 'strict',
): boolean {
  const signature = signatureOf(object, serverName, key.keyId);
  if (signature === undefined) return false;
  const text = canonicalJsonWithout(object, UNSIGNED_KEYS, mode);
  return text !== undefined && verifyText(text, signature, key);
}

/** The signature of a server by a key that an object carries. */
export function signatureOf(object: JsonObject, serverName: string, keyId: string): string | undefined {
  const signatures = object['signatures'];
  if (!isJsonObject(signatures) || !Object.hasOwn(signatures, serverName)) return undefined;
  const ofServer = signatures[serverName];
  if (!isJsonObject(ofServer) || !Object.hasOwn(ofServer, keyId)) return undefined;
  const signature = ofServer[keyId];
  return typeof signature === 'string' ? signature : undefined;
}

/** The ids of the keys with which a server has signed an object. */
export function signingKeyIdsOf(object: JsonObject, serverName: string): readonly string[] {
  const signatures = object['signatures'];
  if (!isJsonObject(signatures) || !Object.hasOwn(signatures, serverName)) return [];
  const ofServer = signatures[serverName];
  return isJsonObject(ofServer) ? Object.keys(ofServer) : [];
}
