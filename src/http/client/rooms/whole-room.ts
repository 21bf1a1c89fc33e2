import type { Refusal } from '../../../matrix/refusal.ts';
import { refuse } from '../../../matrix/refusal.ts';
import type { StreamViews } from '../../../streams/view.ts';
import { isRoomPartial, type WholenessServices } from '../../../sync/room-wholeness.ts';
import type { Clock, Milliseconds } from '../../../kit/clock.ts';

/** How long a request waits for the members of a room that was joined without them, in milliseconds: proxies give up after a minute. */
export const WHOLE_ROOM_WAIT_MS = 50_000;
/** When a client is to ask again, in milliseconds. */
const RETRY_AFTER_MS = 5_000;

/** What waiting takes. */
export interface WaitingServices extends WholenessServices {
  readonly clock: Clock;
  readonly streams: StreamViews;
}

/**
 * Waits until this server knows all members of a room. MSC3902.
 *
 * @param waitMs how long at most
 * @param aborted the client has gone away
 * @returns whether it does now
 */
export async function becomesWhole(
  services: WaitingServices,
  roomId: string,
  waitMs: Milliseconds,
  aborted?: AbortSignal,
): Promise<boolean> {
  // What nearly always is.
  if (!(await isRoomPartial(services, roomId))) return true;
  const { clock, streams } = services;
  const endsAt = clock.monotonic() + waitMs;
  for (;;) {
    const looked = streams.now();
    if (!(await isRoomPartial(services, roomId))) return true;
    const remainingMs = endsAt - clock.monotonic();
    if (remainingMs <= 0 || aborted?.aborted === true) return false;
    const parked = streams.park([`room:${roomId}`], looked, remainingMs);
    const cancel = (): void => parked.cancel();
    aborted?.addEventListener('abort', cancel, { once: true });
    try {
      if ((await parked.outcome) === 'cancelled') return false;
    } finally {
      aborted?.removeEventListener('abort', cancel);
    }
  }
}

/**
 * Waits until this server knows all members of a room: while they come, nobody can be told who is in it. MSC3902, "Client-Server API".
 *
 * @param aborted the client has gone away
 * @returns undefined when all are known; refused with M_UNKNOWN (503, `retry_after_ms`) when that takes too long
 */
export async function refuseUnlessWhole(
  services: WaitingServices,
  roomId: string,
  aborted: AbortSignal,
): Promise<Refusal | undefined> {
  return (await becomesWhole(services, roomId, WHOLE_ROOM_WAIT_MS, aborted)) ? undefined : notWholeYet();
}

function notWholeYet(): Refusal {
  return refuse('M_UNKNOWN', 'The members of this room are still being fetched from other servers.', {
    status: 503,
    extra: { retry_after_ms: RETRY_AFTER_MS },
  });
}
