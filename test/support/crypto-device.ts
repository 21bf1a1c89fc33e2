import { hash } from 'node:crypto';
import type { JsonObject } from '../../src/kit/json.ts';
import { ed25519PublicKey } from '../../src/matrix/ed25519.ts';
import { encodeBase64 } from '../../src/matrix/events/unpadded-base64.ts';
import { type ServerKey, signJson } from '../../src/matrix/signing.ts';

/** A key pair by name: the same name gives the same keys. */
function keyPair(name: string): { readonly seed: Uint8Array; readonly publicKey: string } {
  const seed = new Uint8Array(hash('sha256', name, 'buffer'));
  return { seed, publicKey: encodeBase64(ed25519PublicKey(seed)) };
}

/** Signs as a user or one of its devices. */
export type Sign = (object: JsonObject) => JsonObject;

/** A device with keys of its own. */
export interface CryptoDevice {
  readonly keys: JsonObject;
  readonly sign: Sign;
  /** One-time keys `<prefix>1` to `<prefix><count>`, as they are uploaded. */
  oneTimeKeys(count: number, prefix?: string): Record<string, JsonObject>;
  fallbackKey(keyId: string): Record<string, JsonObject>;
}

/** Makes the keys of a device; `name` tells generations of keys of one device id apart. */
export function cryptoDevice(userId: string, deviceId: string, name = 'keys'): CryptoDevice {
  const { seed, publicKey } = keyPair(`${userId} ${deviceId} ${name}`);
  const sign: Sign = (object) => signJson(object, userId, { keyId: `ed25519:${deviceId}`, seed });
  const signedKey = (keyId: string, more: JsonObject = {}): JsonObject =>
    sign({ key: keyPair(`${userId} ${deviceId} ${name} ${keyId}`).publicKey, ...more });
  return {
    sign,
    keys: sign({
      user_id: userId,
      device_id: deviceId,
      algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
      keys: {
        [`curve25519:${deviceId}`]: keyPair(`curve ${userId} ${deviceId} ${name}`).publicKey,
        [`ed25519:${deviceId}`]: publicKey,
      },
    }),
    oneTimeKeys: (count, prefix = 'K') =>
      Object.fromEntries(
        Array.from({ length: count }, (_, index) => {
          const keyId = `${prefix}${index + 1}`;
          return [`signed_curve25519:${keyId}`, signedKey(keyId)];
        }),
      ),
    fallbackKey: (keyId) => ({ [`signed_curve25519:${keyId}`]: signedKey(keyId, { fallback: true }) }),
  };
}

/** The cross-signing keys of a user. */
export interface CrossSigning {
  readonly masterKey: string;
  /** As it is uploaded: master, self-signing and user-signing key. */
  readonly body: {
    readonly master_key: JsonObject;
    readonly self_signing_key: JsonObject;
    readonly user_signing_key: JsonObject;
  };
  readonly signAsMaster: Sign;
  readonly selfSign: Sign;
  readonly userSign: Sign;
}

/** Makes cross-signing keys; `name` tells generations apart. */
export function crossSigning(userId: string, name = 'first'): CrossSigning {
  const pairOf = (usage: string) => keyPair(`${userId} ${usage} ${name}`);
  const signerOf = (usage: string): Sign => {
    const { seed, publicKey } = pairOf(usage);
    // The id of a server's key has a narrower grammar than that of a cross-signing key.
    const key: ServerKey = { keyId: `ed25519:${publicKey}`, seed };
    return (object) => signJson(object, userId, key);
  };
  const keyOf = (usage: string): JsonObject => {
    const { publicKey } = pairOf(usage);
    return { user_id: userId, usage: [usage], keys: { [`ed25519:${publicKey}`]: publicKey } };
  };
  const signAsMaster = signerOf('master');
  return {
    masterKey: pairOf('master').publicKey,
    body: {
      master_key: keyOf('master'),
      self_signing_key: signAsMaster(keyOf('self_signing')),
      user_signing_key: signAsMaster(keyOf('user_signing')),
    },
    signAsMaster,
    selfSign: signerOf('self_signing'),
    userSign: signerOf('user_signing'),
  };
}
