import { findDehydratedDevice } from '../../db/accounts/dehydrated-reader.ts';
import { storeDehydratedDevice } from '../../db/accounts/dehydrated-writer.ts';
import { countDevices, findDevice } from '../../db/accounts/reader.ts';
import { deleteDevices } from '../../db/accounts/writer.ts';
import { isRefusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { Handlers } from '../kit/actor.ts';
import type { InputOf } from '../kit/protocol.ts';
import { type Announcer, changed } from './announcer.ts';
import type { AccountsProtocol } from './protocol.ts';
import { DEVICES_PER_USER_MAX } from './registration.ts';
import { writeAccounts } from './write.ts';

type Store = InputOf<AccountsProtocol, 'accounts.store-dehydrated-device'>;

/** The messages about dehydrated devices. */
export function createDehydratedDevices(
  context: TroupeContext,
  announcer: Announcer,
): Pick<Handlers<AccountsProtocol>, 'accounts.store-dehydrated-device'> {
  const { clock, env } = context;
  return {
    async 'accounts.store-dehydrated-device'(device: Store) {
      const { userId, deviceId } = device;
      const before = await findDehydratedDevice(env.db, userId);
      const isSame = before?.deviceId === deviceId;
      if (!isSame && (await findDevice(env.db, userId, deviceId)) !== undefined)
        return refuse('M_FORBIDDEN', 'device_id: you are logged in with this device.');
      if (before === undefined && (await countDevices(env.db, userId)) >= DEVICES_PER_USER_MAX)
        return refuse('M_FORBIDDEN', `You have ${DEVICES_PER_USER_MAX} devices: log some of them out first.`);
      const replaced = before === undefined || isSame ? [] : [before.deviceId];
      const written = await writeAccounts(context, [
        ...(replaced.length === 0 ? [] : deleteDevices(userId, replaced)),
        ...storeDehydratedDevice(device, clock.now()),
      ]);
      if (isRefusal(written)) return written;
      const published = await announcer.publish(written.revocations);
      // Under the same id, too, it is another device with keys of its own.
      const cleared = before === undefined ? [] : await announcer.clearDevices(userId, [before.deviceId]);
      return changed(published, cleared, await announcer.recordDevices(userId, [...replaced, deviceId]));
    },
  };
}
