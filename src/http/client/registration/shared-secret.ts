import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Config } from '../../../config/config.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** What the code of a registration by shared secret covers, as the client wrote it. */
export interface SharedSecretRequest {
  readonly nonce: string;
  readonly username: string;
  readonly password: string;
  readonly admin: boolean;
  /** Covered when it is there; without a meaning here. */
  readonly userType: string | null;
}

/** The configured secret, or a refusal when this kind of registration is switched off. */
export function checkSharedSecret(config: Config): string | Refusal {
  const { sharedSecret } = config.registration;
  if (sharedSecret !== '') return sharedSecret;
  return refuse('M_UNKNOWN', 'Registration by shared secret is not switched on.');
}

/** HMAC-SHA1, in hex, over nonce, user name, password and `admin` or `notadmin`, with a NUL between each. */
export function sharedSecretMac(secret: string, request: SharedSecretRequest): string {
  const { nonce, username, password, admin, userType } = request;
  const parts = [nonce, username, password, admin ? 'admin' : 'notadmin'];
  const covered = userType === null ? parts : [...parts, userType];
  return createHmac('sha1', secret).update(covered.join('\0')).digest('hex');
}

/** Compares two codes in constant time. */
export function isSameMac(expected: string, given: string): boolean {
  const left = Buffer.from(expected);
  const right = Buffer.from(given.toLowerCase());
  return left.length === right.length && timingSafeEqual(left, right);
}
