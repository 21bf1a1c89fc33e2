import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

export const deleteLoginTokens = defineQuery<Record<never, never>>({
  name: 'accounts.delete-login-tokens',
  sql: `DELETE FROM passing_tokens WHERE purpose = 'login'`,
  // Once, while no server runs.
  scans: ['passing_tokens'],
});

/** The step that ends tokens which are good for one login: they may have been used since the backup. */
export function endLoginTokens(): WriteStep[] {
  return [step(deleteLoginTokens, {})];
}
