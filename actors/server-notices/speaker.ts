import {
  AVATAR_URL_FIELD,
  countDevices,
  DISPLAYNAME_FIELD,
  findAccount,
  readProfile,
} from '../../db/accounts/reader.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';

/** The account in whose name notices are sent. */
export interface Speaker {
  /** Makes the account when it is not there, and gives it the name and the picture of the configuration; a refusal when that cannot be. */
  prepare(userId: string): Promise<Refusal | undefined>;
}

/** Sees to the account once in a life of the actor, with the first notice. */
export function createSpeaker(context: TroupeContext): Speaker {
  const { db, config } = context.env;
  const { displayName, avatarUrl } = config.serverNotices;
  const accounts = context.ref('accounts');
  let preparing: Promise<Refusal | undefined> | null = null;

  async function makeAccount(userId: string): Promise<Refusal | undefined> {
    const account = await findAccount(db, userId);
    if (account === undefined) {
      const registered = await accounts.ask('accounts.register', {
        userId,
        passwordHash: null,
        isAdmin: false,
        displayname: displayName,
        registrationToken: null,
        device: null,
      });
      return isRefusal(registered) ? registered : undefined;
    }
    // Somebody who was here before notices were: what that user says must not pass for the server's.
    const isTaken = account.passwordHash !== null || account.deactivatedTs !== null || account.isGuest;
    if (!isTaken && (await countDevices(db, userId)) === 0) return undefined;
    return refuse('M_UNKNOWN', `${userId} is somebody already: name another server_notices.localpart.`);
  }

  async function setField(userId: string, field: string, value: string | null): Promise<Refusal | undefined> {
    const valueJson = value === null ? null : JSON.stringify(value);
    const set = await accounts.ask('accounts.set-profile-field', { userId, field, valueJson });
    return isRefusal(set) ? set : undefined;
  }

  async function prepare(userId: string): Promise<Refusal | undefined> {
    const refused = await makeAccount(userId);
    if (refused !== undefined) return refused;
    const profile = await readProfile(db, userId);
    const wantedAvatar = avatarUrl === '' ? null : avatarUrl;
    const named =
      profile.displayname === displayName
        ? undefined
        : await setField(userId, DISPLAYNAME_FIELD, displayName);
    if (named !== undefined || profile.avatarUrl === wantedAvatar) return named;
    return setField(userId, AVATAR_URL_FIELD, wantedAvatar);
  }

  return {
    async prepare(userId) {
      preparing ??= prepare(userId);
      const refused = await preparing;
      // What stands in the way may be gone the next time.
      if (refused !== undefined) preparing = null;
      return refused;
    },
  };
}
