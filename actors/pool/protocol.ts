import type { Ask } from '../kit/protocol.ts';

export type PoolProtocol = {
  /** Hashes a password for storage (argon2id, PHC text). */
  'pool.hash-password': Ask<{ readonly password: string }, { readonly hash: string }>;
  /** Compares a password with a stored hash, in constant time. */
  'pool.verify-password': Ask<
    { readonly password: string; readonly hash: string },
    { readonly matches: boolean }
  >;
};
