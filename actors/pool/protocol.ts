import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';

export type PoolProtocol = {
  /** Hashes a password for storage (argon2id, PHC text). Refused with M_LIMIT_EXCEEDED when too much is waiting. */
  'pool.hash-password': Ask<{ readonly password: string }, { readonly hash: string } | Refusal>;
  /**
   * Compares a password with a stored hash, in constant time. A null hash costs as much as a real one and never matches: for
   * accounts that do not exist. Refused with M_LIMIT_EXCEEDED when too much is waiting.
   */
  'pool.verify-password': Ask<
    { readonly password: string; readonly hash: string | null },
    { readonly matches: boolean } | Refusal
  >;
};
