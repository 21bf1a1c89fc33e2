import { findDeviceIds } from '../../db/accounts/reader.ts';
import { deleteDevices, deleteOtherDevicesOf, renameDevice } from '../../db/accounts/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { Handlers } from '../kit/actor.ts';
import type { InputOf } from '../kit/protocol.ts';
import { type Announcer, changed } from './announcer.ts';
import type { AccountChanged, AccountsProtocol } from './protocol.ts';
import { writeAccounts } from './write.ts';

type Changes = Pick<
  Handlers<AccountsProtocol>,
  'accounts.delete-devices' | 'accounts.delete-all-devices' | 'accounts.rename-device'
>;
type Input<Name extends keyof Changes> = InputOf<AccountsProtocol, Name>;

/** The messages that change devices that exist. */
export function createDeviceChanges(context: TroupeContext, announcer: Announcer): Changes {
  const { db } = context.env;

  /** Tells the caches first, so that revoked tokens are refused, then who has the devices in a list. */
  async function write(
    steps: readonly WriteStep[],
    userId: string,
    deviceIds: readonly string[],
  ): Promise<AccountChanged | Refusal> {
    const written = await writeAccounts(context, steps);
    if (isRefusal(written)) return written;
    const published = await announcer.publish(written.revocations);
    return changed(published, await announcer.recordDevices(userId, deviceIds));
  }

  return {
    async 'accounts.delete-devices'({ userId, deviceIds }: Input<'accounts.delete-devices'>) {
      const existing = new Set(await findDeviceIds(db, userId));
      const wanted = [...new Set(deviceIds)].filter((deviceId) => existing.has(deviceId));
      return wanted.length === 0 ? changed() : write(deleteDevices(userId, wanted), userId, wanted);
    },
    async 'accounts.delete-all-devices'({ userId }: Input<'accounts.delete-all-devices'>) {
      return write(deleteOtherDevicesOf(userId, null), userId, await findDeviceIds(db, userId));
    },
    'accounts.rename-device': ({ userId, deviceId, displayName }: Input<'accounts.rename-device'>) =>
      write(renameDevice(userId, deviceId, displayName), userId, [deviceId]),
  };
}
