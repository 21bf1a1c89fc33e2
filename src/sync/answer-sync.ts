import type { PresenceState } from '../../actors/presence/protocol.ts';
import type { Milliseconds } from '../kit/clock.ts';
import type { WakeKey } from '../streams/stream.ts';
import { typingStream } from '../streams/typing-stream.ts';
import type { SyncToken } from '../streams/token.ts';
import { admitToken } from '../streams/token-admission.ts';
import { buildSync, type SyncAnswer, type SyncRequest } from './build-sync.ts';
import { pollingDeviceKey, pollingDevicesCache } from './caches/polling-devices.ts';
import { isTypingStale } from './ephemeral.ts';
import { forgetLost } from './lost-token.ts';
import { currentRange, withPositionOf } from './sync-range.ts';
import type { SyncServices } from './sync-services.ts';
import { acknowledgeToDevice } from './to-device.ts';

/** The longest that a sync waits, whatever the client asks for. */
export const SYNC_TIMEOUT_MS_MAX = 120_000;

/** A device that says the same of its presence is passed on no more often than this. Devices count as absent only much later. */
export const PRESENCE_NOTE_INTERVAL_MS = 10_000;

/** A sync that may wait. */
export interface SyncPoll extends SyncRequest {
  /** How long to wait for something to tell. */
  readonly timeoutMs: Milliseconds;
  readonly presence: PresenceState;
  /** Aborted when the client has gone away. */
  readonly aborted: AbortSignal;
}

function wakeKeys(request: SyncRequest, answer: SyncAnswer): readonly WakeKey[] {
  return [
    'everyone',
    `user:${request.caller.userId}`,
    ...answer.joinedRoomIds.map((roomId) => `room:${roomId}` as const),
  ];
}

/** Tells the owner of presence that the device is there: at once when it says something else than before. */
async function notePresence(services: SyncServices, { caller, presence }: SyncPoll): Promise<void> {
  const { userId, deviceId } = caller;
  const device = await services.cached.get(pollingDevicesCache, pollingDeviceKey(userId, deviceId));
  const now = services.clock.monotonic();
  const { told } = device;
  if (told?.presence === presence && now - told.at < PRESENCE_NOTE_INTERVAL_MS) return;
  device.told = { presence, at: now };
  services.presence.tell('presence.note-sync', { userId, deviceId, presence });
}

/** Waits until something may have happened. False: the time is up or the client is gone. */
async function waitForNews(
  services: SyncServices,
  poll: SyncPoll,
  answer: SyncAnswer,
  remainingMs: Milliseconds,
): Promise<boolean> {
  const parked = services.streams.park(wakeKeys(poll, answer), answer.upTo, remainingMs);
  const cancel = (): void => parked.cancel();
  poll.aborted.addEventListener('abort', cancel, { once: true });
  try {
    return (await parked.outcome) === 'woken';
  } finally {
    poll.aborted.removeEventListener('abort', cancel);
  }
}

/**
 * After an answer without news nothing before its end has to be looked at again. Typing that is stale stays where it is, so that
 * what the client still believes is corrected in the end.
 */
function afterEmpty(services: SyncServices, since: SyncToken, answer: SyncAnswer): SyncToken {
  const { name } = typingStream;
  const { streams } = services;
  return isTypingStale(streams, currentRange(streams, since))
    ? withPositionOf(answer.upTo, name, since)
    : answer.upTo;
}

/**
 * Answers a sync: at once when there is something to tell, otherwise as soon as there is, at the latest when its time is up. A first sync
 * and one with `full_state` never wait. What the `since` acknowledges is deleted first.
 * Client-Server API v1.19, `GET /_matrix/client/v3/sync`, parameter `timeout`.
 */
export async function answerSync(services: SyncServices, asked: SyncPoll): Promise<SyncAnswer> {
  await notePresence(services, asked);
  // Another gateway may have given the token out and be ahead of this one.
  if (asked.since !== null) await admitToken(asked.since, services.streams, services.db);
  const poll = {
    ...asked,
    since: asked.since === null ? null : forgetLost(asked.since, services.streams.now()),
  };
  await acknowledgeToDevice(services, poll.caller, currentRange(services.streams, poll.since));
  const endsAt = services.clock.monotonic() + Math.min(poll.timeoutMs, SYNC_TIMEOUT_MS_MAX);
  let answer = await buildSync(services, poll);
  let { since } = poll;
  while (answer.isEmpty && since !== null && !poll.fullState && !poll.aborted.aborted) {
    const remainingMs = endsAt - services.clock.monotonic();
    if (remainingMs <= 0) break;
    since = afterEmpty(services, since, answer);
    if (!(await waitForNews(services, poll, answer, remainingMs))) break;
    answer = await buildSync(services, { ...poll, since });
  }
  return answer;
}
