import { readUsersWithDepartedDevices } from '../../db/accounts/departed-reader.ts';
import { endDepartures } from '../../db/accounts/departed-writer.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';
import type { StreamMark } from './protocol.ts';

/** When owners that could not let go of something are asked again, in milliseconds. */
export const BELONGINGS_RETRY_MS = 10_000;
/** Users whose devices have left that are read at once. */
const USERS_PER_READ = 100;

/** Somebody who holds something of devices. */
interface DeviceOwner {
  /** What it holds, for the log. */
  readonly what: string;
  /** Lets go of all of it; gives where that stands. Idempotent. */
  forget(
    context: TroupeContext,
    userId: string,
    deviceIds: readonly string[],
  ): Promise<readonly StreamMark[] | Refusal>;
}

/** Everybody who holds something of devices: who begins to, joins here. Tokens go in the write that deletes the device itself. */
export const DEVICE_OWNERS: readonly DeviceOwner[] = [
  {
    what: 'messages',
    async forget(context, userId, deviceIds) {
      const inboxes = context.ref('to-device');
      const answers = await Promise.all(
        deviceIds.map((deviceId) => inboxes.ask('to-device.delete-device', { userId, deviceId })),
      );
      return answers.find(isRefusal) ?? [];
    },
  },
  {
    what: 'keys',
    async forget(context, userId, deviceIds) {
      const answer = await context.ref('keys').ask('keys.delete-devices', { userId, deviceIds });
      return isRefusal(answer) ? answer : answer.marks;
    },
  },
  {
    what: 'pushers',
    async forget(context, userId) {
      const answer = await context.ref('push').ask('push.sweep-pushers', { userId });
      return isRefusal(answer) ? answer : [];
    },
  },
  {
    what: 'notification settings',
    async forget(context, userId, deviceIds) {
      const answer = await context
        .ref('account-data')
        .ask('account-data.forget-devices', { userId, deviceIds });
      if (isRefusal(answer)) return answer;
      const { position } = answer;
      return position === null ? [] : [{ stream: 'account-data', position }];
    },
  },
];

/** Sees to it that what belongs to a device goes with it. */
export interface DeviceBelongings {
  /**
   * Has all owners let go of devices that are gone, or that come anew under these ids. What an owner cannot do now it is asked for again,
   * also after a restart: devices that are deleted are noted with the deletion.
   */
  forget(userId: string, deviceIds: readonly string[]): Promise<readonly StreamMark[]>;
  /** Goes on with what an earlier life has left, one user after the other in the order of their other changes. */
  resume(): void;
}

/** Makes the belongings of one life of the actor. */
export function createDeviceBelongings(context: TroupeContext): DeviceBelongings {
  let isRetryDue = false;

  function retryLater(): void {
    if (isRetryDue) return;
    isRetryDue = true;
    context.clock.after(BELONGINGS_RETRY_MS, () => {
      isRetryDue = false;
      resume();
    });
  }

  async function tryForget(
    owner: DeviceOwner,
    userId: string,
    deviceIds: readonly string[],
  ): Promise<readonly StreamMark[] | 'failed'> {
    const fail = (reason: string): 'failed' => {
      context.log.error('what belongs to a device could not be deleted', { what: owner.what, reason });
      return 'failed';
    };
    try {
      const told = await owner.forget(context, userId, deviceIds);
      return isRefusal(told) ? fail(told.errcode) : told;
    } catch (error) {
      if (!(error instanceof AskFailed)) throw error;
      return fail(error.reason);
    }
  }

  async function forget(userId: string, deviceIds: readonly string[]): Promise<readonly StreamMark[]> {
    if (deviceIds.length === 0) return [];
    const told = await Promise.all(DEVICE_OWNERS.map((owner) => tryForget(owner, userId, deviceIds)));
    const done = told.filter((marks) => marks !== 'failed');
    const isAllDone = done.length === told.length;
    const ended = isAllDone ? await commit(context, endDepartures(userId, deviceIds)) : null;
    if (ended?.kind !== 'committed') retryLater();
    return done.flat();
  }

  async function findLeftovers(): Promise<void> {
    let after: string | undefined = '';
    while (after !== undefined) {
      // Each page begins where the one before it has ended.
      const users: string[] = await readUsersWithDepartedDevices(context.env.db, after, USERS_PER_READ);
      for (const userId of users)
        if (context.ref('accounts').tell('accounts.forget-departed', { userId }) !== 'sent') retryLater();
      after = users.at(-1);
    }
  }

  function resume(): void {
    if (context.ended.aborted) return;
    findLeftovers().catch((error: unknown) => {
      if (!context.ended.aborted) context.crash(error);
    });
  }

  return { forget, resume };
}
