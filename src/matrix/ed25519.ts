import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/*
 * The signature algorithm, and nothing of Matrix: the only file that changes when another implementation is measured to be
 * better. OpenSSL's key objects are slow to make, hence one per key, kept for as long as the caller keeps the bytes.
 */

/** Length of a seed and of a public key, in bytes. */
export const ED25519_KEY_BYTES = 32;
/** Length of a signature, in bytes. */
export const ED25519_SIGNATURE_BYTES = 64;

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

const privateKeys = new WeakMap<Uint8Array, KeyObject>();
const publicKeys = new WeakMap<Uint8Array, KeyObject>();

/**
 * Signs a message (RFC 8032, ed25519).
 *
 * @param seed 32 bytes; never change them afterwards
 * @returns 64 bytes
 */
export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Buffer {
  return sign(null, message, privateKeyOf(seed));
}

/**
 * True when `signature` is the message's signature by the key.
 *
 * @param publicKey 32 bytes; never change them afterwards
 */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== ED25519_SIGNATURE_BYTES || publicKey.length !== ED25519_KEY_BYTES) return false;
  return verify(null, message, publicKeyOf(publicKey), signature);
}

/** The 32-byte public key of a seed. */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(der.subarray(SPKI_PREFIX.length));
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  let key = privateKeys.get(seed);
  if (key === undefined) {
    if (seed.length !== ED25519_KEY_BYTES)
      throw new Error(`an ed25519 seed has 32 bytes, not ${seed.length}`);
    key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
    privateKeys.set(seed, key);
  }
  return key;
}

function publicKeyOf(bytes: Uint8Array): KeyObject {
  let key = publicKeys.get(bytes);
  if (key === undefined) {
    key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: 'der', type: 'spki' });
    publicKeys.set(bytes, key);
  }
  return key;
}
