import { findDeviceIds } from '../../db/accounts/reader.ts';
import { deleteDevices, deleteOtherDevicesOf, renameDevice } from '../../db/accounts/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { Handlers } from '../kit/actor.ts';
import type { InputOf } from '../kit/protocol.ts';
import { type Announcer, changed } from './announcer.ts';
import type { AccountChanged, AccountsProtocol, StreamMark } from './protocol.ts';
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
    announce: () => Promise<readonly StreamMark[]>,
  ): Promise<AccountChanged | Refusal> {
    const written = await writeAccounts(context, steps);
    if (isRefusal(written)) return written;
    const published = await announcer.publish(written.revocations);
    return changed(published, await announce());
  }

  return {
    async 'accounts.delete-devices'({ userId, deviceIds }: Input<'accounts.delete-devices'>) {
      const existing = new Set(await findDeviceIds(db, userId));
      const wanted = [...new Set(deviceIds)].filter((deviceId) => existing.has(deviceId));
      if (wanted.length === 0) return changed();
      return write(deleteDevices(userId, wanted), () => announcer.removeDevices(userId, wanted));
    },
    async 'accounts.delete-all-devices'({ userId }: Input<'accounts.delete-all-devices'>) {
      const deviceIds = await findDeviceIds(db, userId);
      return write(deleteOtherDevicesOf(userId, null), () => announcer.removeDevices(userId, deviceIds));
    },
    'accounts.rename-device': ({ userId, deviceId, displayName }: Input<'accounts.rename-device'>) =>
      write(renameDevice(userId, deviceId, displayName), () => announcer.recordDevices(userId, [deviceId])),
  };
}
