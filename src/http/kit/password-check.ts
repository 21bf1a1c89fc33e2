import { type Account, findAccount } from '../../../db/accounts/reader.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { isOfServer } from '../../matrix/identifiers/domain.ts';
import { localpartOf, parseUserId } from '../../matrix/identifiers/user-id.ts';
import { isRefusal, type Refusal, refuse } from '../../matrix/refusal.ts';
import type { Services } from './services.ts';

/** The longest password that can be set, in bytes of UTF-8. */
export const PASSWORD_BYTES_MAX = 512;

/** The part of a body that says who logs in: `identifier`, or the older `user`. */
export interface NamedUser {
  readonly identifier?: { readonly type: string; readonly user?: string } | undefined;
  readonly user?: string | undefined;
}

/**
 * The name that a client gives for a user: a localpart or a full id.
 * Client-Server API v1.19, "Identifier types", "Matrix User ID"; `user` beside it is deprecated.
 *
 * @returns undefined when the body names nobody, or by other means than `m.id.user`
 */
export function userNameOf(body: NamedUser): string | undefined {
  if (body.identifier === undefined) return body.user;
  return body.identifier.type === 'm.id.user' ? body.identifier.user : undefined;
}

/**
 * The account that a client means by a localpart or a full id. Upper case is tolerated where the exact name does not exist.
 *
 * @returns undefined when there is none, or it is another server's
 */
export async function findNamedAccount(
  db: ReadDb,
  serverName: string,
  name: string,
): Promise<Account | undefined> {
  const userId = parseUserId(name.startsWith('@') ? name : `@${name}:${serverName}`);
  if (userId === undefined || !isOfServer(userId, serverName)) return undefined;
  const exact = await findAccount(db, userId);
  return exact ?? findAccount(db, `@${localpartOf(userId).toLowerCase()}:${serverName}`);
}

/**
 * Says whether this is the password of the account. No account, or one without a password, costs the same time and is never right.
 *
 * @returns a refusal when too many passwords are being checked
 */
export async function isPasswordRight(
  services: Pick<Services, 'pool'>,
  account: Account | undefined,
  password: string,
): Promise<boolean | Refusal> {
  const hash = account?.passwordHash ?? null;
  const answer = await services.pool.ask('pool.verify-password', { password, hash });
  return isRefusal(answer) ? answer : answer.matches;
}

/** Refuses a password that cannot be set: M_WEAK_PASSWORD for none at all, M_INVALID_PARAM for one that is too long. */
export function checkNewPassword(password: string): Refusal | undefined {
  if (password === '') return refuse('M_WEAK_PASSWORD', 'The password is empty.');
  if (Buffer.byteLength(password) <= PASSWORD_BYTES_MAX) return undefined;
  return refuse('M_INVALID_PARAM', `A password has at most ${PASSWORD_BYTES_MAX} bytes.`);
}
