import { fitsInBytes } from '../identifiers/brand.ts';
import { parseUserId, type UserId } from '../identifiers/user-id.ts';

/** The longest state key, in bytes of UTF-8: the longest user id, `_`, and 255 more. MSC3757, "Proposal". */
export const OWNED_STATE_KEY_BYTES_MAX = 511;
/** What may stand beside the user id in a state key, `_` included, in bytes of UTF-8. */
const SUFFIX_BYTES_MAX = 256;
/** A state key that is nobody's, in bytes of UTF-8. */
const FREE_STATE_KEY_BYTES_MAX = 255;

/**
 * Whose a state key is: the user whose id it is, or begins with before a `_`.
 *
 * @returns null: nobody's; `malformed`: it begins with `@`, and not with the id of a user alone or before a `_`; `too-long`. MSC3757, rule 8.
 */
export function ownerOfStateKey(stateKey: string): UserId | 'malformed' | 'too-long' | null {
  if (!stateKey.startsWith('@')) return fitsInBytes(stateKey, FREE_STATE_KEY_BYTES_MAX) ? null : 'too-long';
  // A localpart may have underscores; the name of a server has none.
  const end = stateKey.indexOf('_', Math.max(stateKey.indexOf(':'), 0));
  const isSuffixed = end !== -1 && stateKey.includes(':');
  const owner = parseUserId(isSuffixed ? stateKey.slice(0, end) : stateKey);
  if (owner === undefined) return 'malformed';
  return fitsInBytes(stateKey.slice(owner.length), SUFFIX_BYTES_MAX) ? owner : 'too-long';
}
