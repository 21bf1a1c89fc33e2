import { findAccessToken, findRefreshOfAccessToken, findRefreshToken } from '../../db/accounts/reader.ts';
import { hashAccessToken } from '../../db/accounts/token-hash.ts';
import { issuePassingToken, noteFirstUse, refreshDevice } from '../../db/accounts/token-writer.ts';
import { createRegistrationToken } from '../../db/accounts/writer.ts';
import { USER_LOCKED } from '../../src/matrix/account-refusals.ts';
import { isRefusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { Handlers } from '../kit/actor.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { Announcer } from './announcer.ts';
import { makeDeviceTokens } from './device-tokens.ts';
import type { AccountsProtocol } from './protocol.ts';
import { makePassingToken, makeRegistrationToken } from './secrets.ts';
import { writeAccounts } from './write.ts';

type Tokens = Pick<
  Handlers<AccountsProtocol>,
  | 'accounts.refresh'
  | 'accounts.note-token-use'
  | 'accounts.issue-token'
  | 'accounts.create-registration-token'
>;
type Input<Name extends keyof Tokens> = InputOf<AccountsProtocol, Name>;
type Output<Name extends keyof Tokens> = OutputOf<AccountsProtocol, Name>;

/** How long an OpenID token lives, in milliseconds. */
export const OPENID_TOKEN_LIFETIME_MS = 3_600_000;

/** The messages about tokens that end by themselves, and those with which people register. */
export function createTokens(context: TroupeContext, announcer: Announcer): Tokens {
  const { clock, random, env, log } = context;

  async function refresh({
    userId,
    refreshHash,
  }: Input<'accounts.refresh'>): Promise<Output<'accounts.refresh'>> {
    const known = await findRefreshToken(env.db, refreshHash);
    if (known === undefined || known.userId !== userId) {
      const extra = { soft_logout: false };
      return refuse('M_UNKNOWN_TOKEN', 'The refresh token is not known.', { extra });
    }
    if (known.isLocked) return USER_LOCKED;
    const { deviceId } = known;
    const { stored, given } = makeDeviceTokens(context, true);
    const written = await writeAccounts(
      context,
      refreshDevice({ userId, deviceId }, refreshHash, stored, clock.now()),
    );
    if (isRefusal(written)) return written;
    const marks = await announcer.publish(written.revocations);
    return { kind: 'logged-in', userId, deviceId, ...given, marks };
  }

  async function noteUse({ tokenHash }: Input<'accounts.note-token-use'>): Promise<void> {
    const owner = await findAccessToken(env.db, tokenHash);
    const pair = await findRefreshOfAccessToken(env.db, tokenHash);
    // Many requests may have told of the same first use.
    if (owner?.isUnused !== true || pair === undefined) return;
    const written = await writeAccounts(context, noteFirstUse(pair, pair.refreshHash));
    if (isRefusal(written)) {
      log.warn('the first use of an access token was not stored', { errcode: written.errcode });
      return;
    }
    await announcer.publish([{ fact: 'access-token', tokenHash }]);
  }

  async function issue({
    userId,
    purpose,
  }: Input<'accounts.issue-token'>): Promise<Output<'accounts.issue-token'>> {
    const token = makePassingToken(random);
    const now = clock.now();
    const expiresInMs =
      purpose === 'login' ? env.config.accounts.loginTokenLifetimeMs : OPENID_TOKEN_LIFETIME_MS;
    const written = await writeAccounts(
      context,
      issuePassingToken({
        tokenHash: hashAccessToken(token),
        purpose,
        userId,
        expiresTs: now + expiresInMs,
        now,
      }),
    );
    return isRefusal(written) ? written : { kind: 'issued', token, expiresInMs };
  }

  async function createForRegistration(
    wanted: Input<'accounts.create-registration-token'>,
  ): Promise<Output<'accounts.create-registration-token'>> {
    const token = makeRegistrationToken(random);
    const written = await writeAccounts(
      context,
      createRegistrationToken({ ...wanted, token, now: clock.now() }),
    );
    return isRefusal(written) ? written : { kind: 'created', token };
  }

  return {
    'accounts.create-registration-token': createForRegistration,
    'accounts.refresh': refresh,
    'accounts.note-token-use': noteUse,
    'accounts.issue-token': issue,
  };
}
