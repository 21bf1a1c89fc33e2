import { countDevices, findDevice, findDeviceIds } from '../../db/accounts/reader.ts';
import { upgradeGuest } from '../../db/accounts/standing-writer.ts';
import { takeLoginToken } from '../../db/accounts/token-writer.ts';
import {
  createAccount,
  deleteOtherDevicesOf,
  logInDevice,
  setProfileField,
  spendRegistrationToken,
} from '../../db/accounts/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { makeUserId } from '../../src/matrix/identifiers/user-id.ts';
import { noticesUserOf } from '../../src/config/notices-user.ts';
import { isRefusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { Handlers } from '../kit/actor.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { Announcer } from './announcer.ts';
import { makeDeviceTokens } from './device-tokens.ts';
import type { AccountsProtocol, LoggedIn, WantedDevice } from './protocol.ts';
import { makeDeviceId, makeLocalpart } from './secrets.ts';
import { writeAccounts } from './write.ts';

/** How many devices a user may have. */
export const DEVICES_PER_USER_MAX = 1_000;
/** How often a generated user name may turn out to be taken. */
const LOCALPART_ATTEMPTS_MAX = 8;

type Register = InputOf<AccountsProtocol, 'accounts.register'>;
type RegisterReply = OutputOf<AccountsProtocol, 'accounts.register'>;
type LogIn = InputOf<AccountsProtocol, 'accounts.log-in'>;
type Upgrade = InputOf<AccountsProtocol, 'accounts.upgrade-guest'>;

interface PreparedLogin {
  readonly login: LoggedIn;
  readonly steps: readonly WriteStep[];
}

function prepareLogin(context: TroupeContext, userId: string, wanted: WantedDevice): PreparedLogin {
  const { clock, random } = context;
  const deviceId = wanted.deviceId ?? makeDeviceId(random);
  const { stored, given } = makeDeviceTokens(context, wanted.isRefreshable ?? false);
  const steps = logInDevice({
    userId,
    deviceId,
    displayName: wanted.initialDeviceDisplayName,
    ...stored,
    now: clock.now(),
  });
  return { login: { kind: 'logged-in', userId, deviceId, ...given, marks: [] }, steps };
}

/** The messages that make accounts and devices. */
export function createRegistration(
  context: TroupeContext,
  announcer: Announcer,
): Pick<Handlers<AccountsProtocol>, 'accounts.register' | 'accounts.log-in' | 'accounts.upgrade-guest'> {
  const { clock, random, env } = context;

  async function createOnce(userId: string, wanted: Register): Promise<RegisterReply> {
    const { passwordHash, isAdmin, isGuest = false, registrationToken, displayname, device } = wanted;
    const now = clock.now();
    const prepared = device === null ? null : prepareLogin(context, userId, device);
    const written = await writeAccounts(context, [
      ...createAccount({ userId, passwordHash, isAdmin, isGuest, registrationToken, now }),
      ...(displayname === null ? [] : setProfileField(userId, 'displayname', JSON.stringify(displayname))),
      ...(prepared?.steps ?? []),
    ]);
    if (isRefusal(written)) return written;
    // A cache may remember that there is nobody of this name, and the directory of users hears of the account.
    const marks = await announcer.publish([{ fact: 'profile', userId }]);
    if (prepared === null) return { kind: 'registered', userId, login: null };
    const deviceMarks = await announcer.recordDevices(userId, [prepared.login.deviceId]);
    return { kind: 'registered', userId, login: { ...prepared.login, marks: [...marks, ...deviceMarks] } };
  }

  async function register(wanted: Register): Promise<RegisterReply> {
    if (wanted.userId !== null) return createOnce(wanted.userId, wanted);
    for (let attempt = 1; attempt <= LOCALPART_ATTEMPTS_MAX; attempt += 1) {
      const userId = makeUserId(makeLocalpart(random), env.config.server.name);
      if (userId === undefined) return refuse('M_INVALID_USERNAME', 'The name of this server is too long.');
      // Each attempt depends on the one before it having failed.
      const reply = await createOnce(userId, wanted);
      if (!isRefusal(reply) || reply.errcode !== 'M_USER_IN_USE') return reply;
    }
    throw new Error(`no free user name in ${LOCALPART_ATTEMPTS_MAX} attempts`);
  }

  async function logIn(wanted: LogIn): Promise<OutputOf<AccountsProtocol, 'accounts.log-in'>> {
    const { userId, loginTokenHash } = wanted;
    if (userId === noticesUserOf(env.config))
      return refuse('M_FORBIDDEN', 'The server speaks in the name of this user, and nobody else does.');
    const { login, steps } = prepareLogin(context, userId, wanted);
    const isNew = (await findDevice(env.db, userId, login.deviceId)) === undefined;
    if (isNew && (await countDevices(env.db, userId)) >= DEVICES_PER_USER_MAX) {
      return refuse('M_FORBIDDEN', `You have ${DEVICES_PER_USER_MAX} devices: log some of them out first.`);
    }
    const taken = loginTokenHash === undefined ? [] : takeLoginToken(loginTokenHash, userId, clock.now());
    const written = await writeAccounts(context, [...taken, ...steps]);
    if (isRefusal(written)) return written;
    const revoked = await announcer.publish(written.revocations);
    // A device of this id may have ended in a crash, before what was held of it was deleted.
    const cleared =
      isNew && wanted.deviceId !== null ? await announcer.clearDevices(userId, [login.deviceId]) : [];
    const recorded = isNew ? await announcer.recordDevices(userId, [login.deviceId]) : [];
    return { ...login, marks: [...revoked, ...cleared, ...recorded] };
  }

  async function upgrade(wanted: Upgrade): Promise<OutputOf<AccountsProtocol, 'accounts.upgrade-guest'>> {
    const { userId, passwordHash, registrationToken, device } = wanted;
    const before = await findDeviceIds(env.db, userId);
    const prepared = device === null ? null : prepareLogin(context, userId, device);
    const written = await writeAccounts(context, [
      ...upgradeGuest(userId, passwordHash),
      ...(registrationToken === null ? [] : spendRegistrationToken(registrationToken, clock.now())),
      ...deleteOtherDevicesOf(userId, null),
      ...(prepared?.steps ?? []),
    ]);
    if (isRefusal(written)) return written;
    const published = await announcer.publish([...written.revocations, { fact: 'account', userId }]);
    const removed = await announcer.removeDevices(userId, before);
    if (prepared === null) return { kind: 'registered', userId, login: null };
    const recorded = await announcer.recordDevices(userId, [prepared.login.deviceId]);
    const marks = [...published, ...removed, ...recorded];
    return { kind: 'registered', userId, login: { ...prepared.login, marks } };
  }

  return { 'accounts.register': register, 'accounts.log-in': logIn, 'accounts.upgrade-guest': upgrade };
}
