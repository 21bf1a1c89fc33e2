import {
  AVATAR_URL_FIELD,
  DISPLAYNAME_FIELD,
  findDeviceIds,
  profileOf,
  readProfileFields,
} from '../../db/accounts/reader.ts';
import { deactivateAccount } from '../../db/accounts/standing-writer.ts';
import { revokePassingTokens } from '../../db/accounts/token-writer.ts';
import { changePassword, deleteOtherDevicesOf, setProfileField } from '../../db/accounts/writer.ts';
import { isRefusal, refuse } from '../../src/matrix/refusal.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { TroupeContext } from '../environment.ts';
import type { Handlers } from '../kit/actor.ts';
import type { InputOf } from '../kit/protocol.ts';
import { type Announcer, changed } from './announcer.ts';
import type { Departures } from './departures.ts';
import type { AccountsProtocol } from './protocol.ts';
import { writeAccounts } from './write.ts';

/** The largest profile, in bytes of its JSON. Client-Server API v1.19, "Profiles". */
export const PROFILE_BYTES_MAX = 64 * 1024;

type Changes = Pick<
  Handlers<AccountsProtocol>,
  'accounts.change-password' | 'accounts.deactivate' | 'accounts.set-profile-field'
>;
type Input<Name extends keyof Changes> = InputOf<AccountsProtocol, Name>;

/** The size of a profile as one JSON object, in bytes. */
function profileSizeBytes(fields: readonly { readonly field: string; readonly value: string }[]): number {
  const entries = fields.map(({ field, value }) => `${JSON.stringify(field)}:${value}`);
  return Buffer.byteLength(`{${entries.join(',')}}`);
}

/** The messages that change accounts that exist. */
export function createAccountChanges(
  context: TroupeContext,
  announcer: Announcer,
  departures: Departures,
): Changes {
  const { clock, env } = context;

  async function setPassword({
    userId,
    passwordHash,
    onlyDeviceToKeep: onlyKept,
    deletesAllDevices = false,
  }: Input<'accounts.change-password'>) {
    const keep = deletesAllDevices ? null : onlyKept;
    const deletes = deletesAllDevices || keep !== null;
    const others = deletes ? await findDeviceIds(env.db, userId) : [];
    const written = await writeAccounts(context, [
      ...changePassword(userId, passwordHash),
      // Whoever got one by knowing the old password is not to use it.
      ...revokePassingTokens(userId),
      ...(deletes ? deleteOtherDevicesOf(userId, keep) : []),
    ]);
    if (isRefusal(written)) return written;
    const published = await announcer.publish([...written.revocations, { fact: 'account', userId }]);
    const removed = others.filter((deviceId) => deviceId !== keep);
    return changed(published, await announcer.removeDevices(userId, removed));
  }

  async function deactivate({ userId, erase }: Input<'accounts.deactivate'>) {
    const deviceIds = await findDeviceIds(env.db, userId);
    const written = await writeAccounts(context, [
      ...deactivateAccount(userId, erase, clock.now()),
      ...deleteOtherDevicesOf(userId, null),
      ...revokePassingTokens(userId),
    ]);
    if (isRefusal(written)) return written;
    departures.resume();
    const erased: Fact[] = erase ? [{ fact: 'profile', userId }] : [];
    const facts: Fact[] = [...written.revocations, { fact: 'account', userId }, ...erased];
    const published = await announcer.publish(facts);
    const recorded = await announcer.removeDevices(userId, deviceIds);
    return changed(published, recorded);
  }

  async function setField({
    userId,
    field,
    valueJson,
    staysOutOfRooms = false,
  }: Input<'accounts.set-profile-field'>) {
    const others = (await readProfileFields(env.db, userId)).filter((entry) => entry.field !== field);
    const after = valueJson === null ? others : [...others, { field, value: valueJson }];
    if (valueJson !== null && profileSizeBytes(after) > PROFILE_BYTES_MAX) {
      return refuse('M_PROFILE_TOO_LARGE', `a profile has at most ${PROFILE_BYTES_MAX} bytes`);
    }
    const written = await writeAccounts(context, setProfileField(userId, field, valueJson));
    if (isRefusal(written)) return written;
    const published = await announcer.publish([{ fact: 'profile', userId }]);
    const isOfMembers = field === DISPLAYNAME_FIELD || field === AVATAR_URL_FIELD;
    if (!isOfMembers || staysOutOfRooms) return changed(published);
    return changed(published, await announcer.updateRooms(userId, profileOf(after)));
  }

  return {
    'accounts.change-password': setPassword,
    'accounts.deactivate': deactivate,
    'accounts.set-profile-field': setField,
  };
}
