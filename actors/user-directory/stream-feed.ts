import type { Timer } from '../../src/kit/clock.ts';
import type { TroupeContext } from '../environment.ts';

/** How soon a subscription that its owner's mailbox had no room for is tried again. */
const SUBSCRIBE_RETRY_MS = 100;
/** An owner that was not heard for so long is subscribed to again: it tells its position more often than that. */
const OWNER_SILENCE_MAX_MS = 15_000;
const CHECK_INTERVAL_MS = 5_000;

/** The connection to one stream. */
export interface StreamFeed {
  /** Something has come from the owner. */
  hear(): void;
  stop(): void;
}

/**
 * Subscribes the actor to a stream, in each life of its owner anew.
 *
 * @param owner the actor that owns the stream; @param positionsOnly its rows are not wanted
 */
export function feedFrom(
  context: TroupeContext,
  owner: 'rooms' | 'caches',
  stream: string,
  positionsOnly: boolean,
): StreamFeed {
  const { clock, name } = context;
  const ref = context.ref(owner as 'rooms');
  let isRunning = false;
  let heardAt = clock.monotonic();
  let retry: Timer | null = null;
  let check: Timer;

  function subscribe(): void {
    if (retry !== null) clock.cancel(retry);
    retry = null;
    heardAt = clock.monotonic();
    const wish = { subscriber: name, streams: [stream], positionsOnly: positionsOnly ? [stream] : [] };
    if (ref.tell('stream.subscribe', wish) === 'mailbox-full')
      retry = clock.after(SUBSCRIBE_RETRY_MS, subscribe);
  }
  function checkSilence(): void {
    if (isRunning && clock.monotonic() - heardAt > OWNER_SILENCE_MAX_MS) subscribe();
    check = clock.after(CHECK_INTERVAL_MS, checkSilence);
  }

  context.watch(owner, ({ event }) => {
    isRunning = event === 'started';
    if (isRunning) subscribe();
  });
  check = clock.after(CHECK_INTERVAL_MS, checkSilence);
  context.ended.addEventListener('abort', () => {
    clock.cancel(check);
    if (retry !== null) clock.cancel(retry);
  });
  return {
    hear: () => void (heardAt = clock.monotonic()),
    stop: () => void ref.tell('stream.unsubscribe', { subscriber: name }),
  };
}
