import { findFirstToken, findRegistrationToken, hasAnyAccount } from '../../db/accounts/reader.ts';
import { readDepartedDevices } from '../../db/accounts/departed-reader.ts';
import { createFirstToken } from '../../db/accounts/writer.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { createAccountChanges } from './account-changes.ts';
import { createAnnouncer } from './announcer.ts';
import { type AuthSessions, createAuthSessions } from './auth-sessions.ts';
import { createDepartures } from './departures.ts';
import { createDehydratedDevices } from './dehydrated-devices.ts';
import { createDeviceBelongings } from './device-belongings.ts';
import { createDeviceChanges } from './device-changes.ts';
import { createDeviceUses } from './device-uses.ts';
import { createExpiringMap } from './expiring-map.ts';
import { createModeration } from './moderation.ts';
import type { AccountsProtocol, AuthChallenge } from './protocol.ts';
import { createRegistration } from './registration.ts';
import { makeRegistrationToken, makeSecret } from './secrets.ts';
import { createTokens } from './tokens.ts';
import { writeAccounts } from './write.ts';

const MAILBOX_LIMIT = 10_000;
/** Changes of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;
/** How long a nonce of the shared-secret registration lives, in milliseconds. */
export const NONCE_LIFETIME_MS = 60_000;
/** How many nonces live at once; the oldest makes room. */
export const NONCES_MAX = 1_000;

type AdvanceAuth = InputOf<AccountsProtocol, 'accounts.advance-auth'>;
type CompleteStage = InputOf<AccountsProtocol, 'accounts.complete-stage'>;
type CompletedStage = OutputOf<AccountsProtocol, 'accounts.complete-stage'>;
type FirstToken = OutputOf<AccountsProtocol, 'accounts.first-token'>;

const ORDERED_BY_USER: ReadonlySet<keyof AccountsProtocol> = new Set([
  'accounts.log-in',
  'accounts.delete-devices',
  'accounts.delete-all-devices',
  'accounts.rename-device',
  'accounts.store-dehydrated-device',
  'accounts.forget-departed',
  'accounts.change-password',
  'accounts.deactivate',
  'accounts.refresh',
  'accounts.note-token-use',
  'accounts.moderate',
  'accounts.upgrade-guest',
]);

/** Uses, sessions and nonces have no key: nothing keeps them waiting. */
function orderKey(message: keyof AccountsProtocol, input: unknown): string | null {
  if (message === 'accounts.first-token') return message;
  if (ORDERED_BY_USER.has(message)) return (input as { readonly userId: string }).userId;
  // A profile can take long to reach all rooms, and nobody is to wait with a login until it has.
  if (message === 'accounts.set-profile-field') {
    return `profile of ${(input as { readonly userId: string }).userId}`;
  }
  return null;
}

/** Says whether a registration token may be used, with the uses that sessions hold. */
async function isTokenValid(
  context: TroupeContext,
  sessions: AuthSessions,
  token: string,
  session: string | null,
): Promise<boolean> {
  const found = await findRegistrationToken(context.env.db, token);
  if (found === undefined) return false;
  const { usesAllowed, usesCompleted, expiresTs } = found;
  if (expiresTs !== null && expiresTs <= context.clock.now()) return false;
  return usesAllowed === null || usesCompleted + sessions.countPending(token, session) < usesAllowed;
}

/**
 * The token of the first admin. It outlives restarts and stays until there is an admin, because whoever reads the terminal is to be the one.
 */
async function firstToken(context: TroupeContext): Promise<FirstToken> {
  const { db } = context.env;
  const known = await findFirstToken(db);
  if (known !== undefined) return { token: known };
  if (await hasAnyAccount(db)) return null;
  const token = makeRegistrationToken(context.random);
  const written = await writeAccounts(context, createFirstToken(token, context.clock.now()));
  return isRefusal(written) ? written : { token };
}

/** Owner of accounts, devices, access tokens, profiles and registration tokens; and of the sessions that guard them. */
export const accountsActor = defineActor<AccountsProtocol>({
  name: 'accounts',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'by-key', turnBudget: TURN_BUDGET, key: orderKey },
  start(context) {
    const { clock, random } = context;
    const belongings = createDeviceBelongings(context);
    const announcer = createAnnouncer(context, belongings);
    const uses = createDeviceUses(context);
    const departures = createDepartures(context);
    const sessions = createAuthSessions(clock, random);
    const nonces = createExpiringMap<true>(clock, NONCE_LIFETIME_MS, NONCES_MAX);

    async function completeStage({ session, stage }: CompleteStage): Promise<CompletedStage> {
      const token = stage.type === 'm.login.registration_token' ? stage.token : null;
      if (token !== null && !(await isTokenValid(context, sessions, token, session)))
        return { outcome: 'wrong-token' };
      return { outcome: sessions.completeStage(session, stage.type, token) };
    }

    async function advanceAuth({ session, binding, flows, stage }: AdvanceAuth) {
      const token = stage?.type === 'm.login.registration_token' ? stage.token : null;
      const isAllowed = token === null || (await isTokenValid(context, sessions, token, session));
      const problem: AuthChallenge['problem'] = isAllowed ? null : 'registration-token';
      return sessions.advance({
        session,
        binding,
        flows,
        completedStage: isAllowed && stage !== null ? stage.type : null,
        registrationToken: isAllowed ? token : null,
        problem,
      });
    }

    departures.resume();
    belongings.resume();
    return {
      handlers: {
        ...createRegistration(context, announcer),
        ...createAccountChanges(context, announcer, departures),
        'accounts.forget-departed': async ({ userId }) => {
          await belongings.forget(userId, await readDepartedDevices(context.env.db, userId));
        },
        ...createDehydratedDevices(context, announcer),
        ...createDeviceChanges(context, announcer),
        ...createTokens(context, announcer),
        ...createModeration(context, announcer),
        'accounts.note-use': (use) => uses.note(use),
        'accounts.advance-auth': advanceAuth,
        'accounts.complete-stage': completeStage,
        'accounts.check-registration-token': async ({ token }) => ({
          valid: await isTokenValid(context, sessions, token, null),
        }),
        'accounts.first-token': () => firstToken(context),
        'accounts.issue-nonce'() {
          const nonce = makeSecret(random);
          nonces.set(nonce, true);
          return { nonce };
        },
        'accounts.take-nonce': ({ nonce }) => ({ known: nonces.take(nonce) }),
      },
      stop: () => uses.flush(),
    };
  },
});
