import { type Account, findAccount } from '../../../../db/accounts/reader.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Caller } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import type { Services } from '../../kit/services.ts';

/**
 * The account that an administrator asks about.
 *
 * @returns refused with M_INVALID_PARAM (of another server), M_NOT_FOUND (none, or deactivated), M_FORBIDDEN (another administrator)
 */
export async function findModeratedUser(
  db: ReadDb,
  serverName: string,
  caller: Caller,
  wanted: string,
): Promise<Account | Refusal> {
  const userId = parseUserId(wanted);
  if (userId === undefined || !isOfServer(userId, serverName))
    return refuse('M_INVALID_PARAM', 'This is not a user of this server.');
  const account = await findAccount(db, userId);
  if (account === undefined || account.deactivatedTs !== null)
    return refuse('M_NOT_FOUND', 'There is no such user.');
  if (account.isAdmin && userId !== caller.userId)
    return refuse('M_FORBIDDEN', 'The user is an administrator as well.');
  return account;
}

/**
 * Locks or suspends somebody, or ends that, for an administrator. Nobody does it to themselves.
 * Client-Server API v1.19, "Server administration".
 */
export async function moderateUser(
  services: Pick<Services, 'accounts' | 'config' | 'db' | 'streams'>,
  caller: Caller,
  wanted: string,
  measure: 'lock' | 'suspend',
  isOn: boolean,
): Promise<{ readonly kind: 'done' } | Refusal> {
  const account = await findModeratedUser(services.db, services.config.server.name, caller, wanted);
  if (isRefusal(account)) return account;
  const { userId } = account;
  if (userId === caller.userId) return refuse('M_FORBIDDEN', 'You cannot do this to yourself.');
  const changed = await services.accounts.ask('accounts.moderate', { userId, measure, isOn });
  if (isRefusal(changed)) return changed;
  await seeOwnEffects(services.streams, changed.marks);
  return { kind: 'done' };
}
