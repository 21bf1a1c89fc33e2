import { findAccount, readActiveRoomIds, readLeavingUserIds } from '../../db/accounts/reader.ts';
import { endLeaving } from '../../db/accounts/standing-writer.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';
import { writeAccounts } from './write.ts';

/** Rooms that a user leaves at the same time. */
const LEAVES_AT_ONCE_MAX = 16;
/** When what could not be done now is tried again, in milliseconds. */
export const DEPARTURE_RETRY_MS = 10_000;

/** Users who have gone for ever leave their rooms, one user after the other. What a restart interrupts goes on after it. */
export interface Departures {
  /** Somebody has been deactivated; or somebody was, in a life before this one. */
  resume(): void;
}

/** `later`: something does not answer, or storage cannot be written. It is tried again. */
type Attempt = 'done' | 'later';

function isPassing(refusal: Refusal): boolean {
  return refusal.status >= 500;
}

async function untilDone(ask: () => Promise<{ readonly isMore: boolean } | Refusal>): Promise<Attempt> {
  for (;;) {
    const answer = await ask();
    if (isRefusal(answer)) return 'later';
    if (!answer.isMore) return 'done';
  }
}

/** Takes away the keys of a user, the user out of all rooms, then what the user wants erased. */
function createLeaver(context: TroupeContext): (userId: string) => Promise<Attempt> {
  const { env, log } = context;

  async function leaveRoom(userId: string, roomId: string): Promise<'left' | 'refused' | 'later'> {
    const answer = await context.ref('rooms').ask('rooms.change-membership', {
      roomId,
      sender: userId,
      target: userId,
      action: 'leave',
      content: {},
    });
    if (!isRefusal(answer)) return 'left';
    return isPassing(answer) ? 'later' : 'refused';
  }

  async function leaveRooms(userId: string): Promise<Attempt> {
    const tried = new Set<string>();
    for (;;) {
      const active = await readActiveRoomIds(env.db, userId, tried.size + LEAVES_AT_ONCE_MAX);
      const some = active.filter((roomId) => !tried.has(roomId));
      if (some.length === 0) break;
      const outcomes = await Promise.all(
        some.map(async (roomId) => ({ roomId, outcome: await leaveRoom(userId, roomId) })),
      );
      if (outcomes.some(({ outcome }) => outcome === 'later')) return 'later';
      // What was refused is not tried again and again.
      for (const { roomId } of outcomes) tried.add(roomId);
    }
    const stayed = await readActiveRoomIds(env.db, userId, tried.size);
    if (stayed.length > 0)
      log.warn('a deactivated user could not leave rooms', { userId, rooms: stayed.length });
    return 'done';
  }

  /** Nobody can ever read a backup whose user is gone, or verify anybody with that user's keys. */
  async function forgetKeys(userId: string): Promise<Attempt> {
    const answers = await Promise.all([
      context.ref('key-backup').ask('key-backup.forget-user', { userId }),
      context.ref('keys').ask('keys.forget-user', { userId }),
    ]);
    return answers.some(isRefusal) ? 'later' : 'done';
  }

  /** Whoever has gone reads no thread. */
  async function forgetThreads(userId: string): Promise<Attempt> {
    return untilDone(() =>
      context.ref('thread-subscriptions').ask('thread-subscriptions.forget-user', { userId }),
    );
  }

  async function eraseData(userId: string): Promise<Attempt> {
    const account = await findAccount(env.db, userId);
    if ((account?.erasedTs ?? null) === null) return 'done';
    const forgotten = await untilDone(() =>
      context.ref('account-data').ask('account-data.forget-user', { userId }),
    );
    if (forgotten === 'later') return 'later';
    return untilDone(() => context.ref('push-rules').ask('push-rules.forget-user', { userId }));
  }

  /** What was to be sent later is not: nobody is there any more in whose name. */
  const forgetDelayed = (userId: string): Promise<Attempt> =>
    untilDone(() => context.ref('delayed-events').ask('delayed-events.forget-user', { userId }));

  return async (userId) => {
    try {
      for (const part of [forgetDelayed, forgetKeys, leaveRooms, forgetThreads, eraseData])
        // One after the other: what could not be done now is begun with when it is tried again.
        if ((await part(userId)) === 'later') return 'later';
    } catch (error) {
      if (!(error instanceof AskFailed)) throw error;
      log.warn('a deactivated user is still in rooms', { userId, reason: error.reason });
      return 'later';
    }
    const written = await writeAccounts(context, endLeaving(userId));
    return isRefusal(written) ? 'later' : 'done';
  };
}

/** Makes the departures of one life of the actor. */
export function createDepartures(context: TroupeContext): Departures {
  const { clock, env } = context;
  const depart = createLeaver(context);
  let isRunning = false;
  let isRetryDue = false;
  let isAsked = false;

  function retryLater(): void {
    if (isRetryDue || context.ended.aborted) return;
    isRetryDue = true;
    clock.after(DEPARTURE_RETRY_MS, () => {
      isRetryDue = false;
      resume();
    });
  }

  /** Everybody who is to leave, once. */
  async function run(): Promise<void> {
    let after = '';
    for (;;) {
      const [userId] = await readLeavingUserIds(env.db, after, 1);
      if (userId === undefined || context.ended.aborted) return;
      if ((await depart(userId)) === 'later') retryLater();
      after = userId;
    }
  }

  function resume(): void {
    isAsked = true;
    if (isRunning || context.ended.aborted) return;
    isRunning = true;
    const rounds = async (): Promise<void> => {
      while (isAsked) {
        isAsked = false;
        await run();
      }
      isRunning = false;
    };
    rounds().catch((error: unknown) => {
      // An actor that has ended can ask nobody any more.
      if (!context.ended.aborted) context.crash(error);
    });
  }

  return { resume };
}
