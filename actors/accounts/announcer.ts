import type { Profile } from '../../db/accounts/reader.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { TroupeContext } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';
import type { DeviceBelongings } from './device-belongings.ts';
import type { AccountChanged, StreamMark } from './protocol.ts';

/** How long the caches actor has to take a revocation before it is tried again, in milliseconds. */
const PUBLISH_DEADLINE_MS = 5_000;
/** When facts that could not be published are tried again, in milliseconds. */
export const PUBLISH_RETRY_MS = 1_000;
/** Facts that wait to be published again; the oldest makes room, which is logged. */
const BACKLOG_MAX = 10_000;
/** How long a profile may take to reach all rooms before its change is answered without them, in milliseconds. */
const ROOMS_DEADLINE_MS = 30_000;

/** What became of a committed change, with the marks of all who were told. */
export function changed(...marks: readonly (readonly StreamMark[])[]): AccountChanged {
  return { kind: 'changed', marks: marks.flat() };
}

/** Tells others what was committed. Nothing here fails: the commit stands, whoever hears of it. */
export interface Announcer {
  /** Pokes the caches of all threads. What cannot be published now is published as soon as it can be. */
  publish(facts: readonly Fact[]): Promise<readonly StreamMark[]>;
  /** Tells that devices came, went or changed their names. */
  recordDevices(userId: string, deviceIds: readonly string[]): Promise<readonly StreamMark[]>;
  /** Deletes what others hold of devices. */
  clearDevices(userId: string, deviceIds: readonly string[]): Promise<readonly StreamMark[]>;
  /** Tells that devices are gone: what is held of them is deleted, since a later device may have the same id. */
  removeDevices(userId: string, deviceIds: readonly string[]): Promise<readonly StreamMark[]>;
  /** Writes a new profile into the user's member events. */
  updateRooms(userId: string, profile: Profile): Promise<readonly StreamMark[]>;
}

function createPublisher(context: TroupeContext): Announcer['publish'] {
  const caches = context.ref('caches');
  let backlog: readonly Fact[] = [];
  let isRetryDue = false;

  function keep(facts: readonly Fact[], reason: AskFailed): void {
    const waiting = [...backlog, ...facts];
    const dropped = Math.max(0, waiting.length - BACKLOG_MAX);
    backlog = waiting.slice(dropped);
    context.log.error('facts could not be published', {
      reason: reason.reason,
      count: facts.length,
      dropped,
    });
    if (isRetryDue) return;
    isRetryDue = true;
    context.clock.after(PUBLISH_RETRY_MS, retry);
  }

  function retry(): void {
    isRetryDue = false;
    if (context.ended.aborted) return;
    const facts = backlog;
    backlog = [];
    publish(facts).catch((error: unknown) => context.crash(error));
  }

  async function publish(facts: readonly Fact[]): Promise<readonly StreamMark[]> {
    if (facts.length === 0) return [];
    try {
      const { position } = await caches.ask('caches.publish', { facts }, { deadlineMs: PUBLISH_DEADLINE_MS });
      return [{ stream: 'caches', position }];
    } catch (error) {
      if (!(error instanceof AskFailed)) throw error;
      keep(facts, error);
      return [];
    }
  }

  return publish;
}

/** Makes the announcer of one life of the actor. */
export function createAnnouncer(context: TroupeContext, belongings: DeviceBelongings): Announcer {
  /** An actor that does not answer delays what it would have told; it does not undo the commit. */
  async function attempt(
    what: string,
    ask: () => Promise<StreamMark | null>,
  ): Promise<readonly StreamMark[]> {
    try {
      const mark = await ask();
      return mark === null ? [] : [mark];
    } catch (error) {
      if (!(error instanceof AskFailed)) throw error;
      context.log.error(`${what} could not be announced`, { reason: error.reason });
      return [];
    }
  }

  const recordDevices: Announcer['recordDevices'] = (userId, deviceIds) =>
    attempt('a change of devices', async () => {
      if (deviceIds.length === 0) return null;
      const answer = await context
        .ref('device-lists')
        .ask('device-lists.record-changes', { userId, deviceIds });
      if (!isRefusal(answer)) return { stream: 'device-lists', position: answer.position };
      context.log.error('a change of devices was refused', { errcode: answer.errcode });
      return null;
    });

  return {
    publish: createPublisher(context),
    recordDevices,
    clearDevices: (userId, deviceIds) => belongings.forget(userId, deviceIds),
    removeDevices: async (userId, deviceIds) => [
      ...(await belongings.forget(userId, deviceIds)),
      ...(await recordDevices(userId, deviceIds)),
    ],
    updateRooms: (userId, profile) =>
      attempt('a profile', async () => {
        const { rooms, position } = await context
          .ref('rooms')
          .ask('rooms.update-profile', { userId, ...profile }, { deadlineMs: ROOMS_DEADLINE_MS });
        return rooms === 0 ? null : { stream: 'events', position };
      }),
  };
}
