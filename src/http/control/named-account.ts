import type { Account } from '../../../db/accounts/reader.ts';
import { noticesUserOf } from '../../config/notices-user.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';
import { findNamedAccount } from '../kit/password-check.ts';
import type { Services } from '../kit/services.ts';

/**
 * The account that an administrator names: by its localpart or its whole id.
 *
 * @returns a refusal M_NOT_FOUND when there is none; M_FORBIDDEN for the one under which the server speaks
 */
export async function getNamedAccount(
  { db, config }: Pick<Services, 'db' | 'config'>,
  name: string,
): Promise<({ readonly kind: 'account' } & Account) | Refusal> {
  const account = await findNamedAccount(db, config.server.name, name);
  if (account === undefined)
    return refuse('M_NOT_FOUND', `there is no user "${name}" on ${config.server.name}`);
  if (account.userId === noticesUserOf(config))
    return refuse('M_FORBIDDEN', `${account.userId} is the server's own user`);
  return { kind: 'account', ...account };
}
