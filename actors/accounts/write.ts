import type { AccountGuard } from '../../db/accounts/account-guard.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { Fact } from '../../src/streams/fact.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';

/** What a client is told when a guard says no. */
const REFUSAL_BY_GUARD: Readonly<Record<AccountGuard, Refusal>> = {
  'name-is-taken': refuse('M_USER_IN_USE', 'This user name is taken.'),
  'token-is-invalid': refuse('M_FORBIDDEN', 'The registration token is not valid.'),
  'no-such-account': refuse('M_USER_DEACTIVATED', 'This account has been deactivated.'),
  'no-such-device': refuse('M_NOT_FOUND', 'There is no such device.'),
  'refresh-token-is-used-up': refuse('M_UNKNOWN_TOKEN', 'The refresh token has been used already.', {
    extra: { soft_logout: true },
  }),
  'login-token-is-unknown': refuse('M_FORBIDDEN', 'The login token is not known, or has been used already.'),
};

/** A write that is committed. */
export interface Written {
  readonly kind: 'written';
  /** The tokens that it revoked, as facts. */
  readonly revocations: readonly Fact[];
}

function isTokenRow(row: unknown): row is { readonly tokenHash: string } {
  return typeof row === 'object' && row !== null && 'tokenHash' in row;
}

/**
 * Commits steps of `db/accounts/writer.ts`.
 *
 * @returns the revoked tokens, or the refusal of a guard or of storage that cannot be written
 * @throws (rejection) when a statement is defective or the effect is unknown
 */
export async function writeAccounts(
  context: TroupeContext,
  steps: readonly WriteStep[],
): Promise<Written | Refusal> {
  const outcome = await commit(context, steps);
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') {
    const refusal = REFUSAL_BY_GUARD[outcome.refusal as AccountGuard] as Refusal | undefined;
    if (refusal === undefined) throw new Error(`no such guard: ${outcome.refusal}`);
    return refusal;
  }
  const rows = Object.values(outcome.returned).flat();
  const revocations = rows
    .filter(isTokenRow)
    .map(({ tokenHash }): Fact => ({ fact: 'access-token', tokenHash }));
  return { kind: 'written', revocations };
}
