import type { Timer } from '../src/kit/clock.ts';
import type { TroupeContext } from './environment.ts';

/** How soon a subscription that its owner's mailbox had no room for is tried again. */
const SUBSCRIBE_RETRY_MS = 100;
/** An owner that was not heard for so long is subscribed to again: it tells its position more often than that. */
const OWNER_SILENCE_MAX_MS = 15_000;
const CHECK_INTERVAL_MS = 5_000;

/** What is followed. */
export interface FollowedStream {
  readonly owner: 'rooms' | 'receipts' | 'push' | 'caches';
  readonly stream: string;
  /** The rows are of no interest. */
  readonly positionsOnly: boolean;
}

/** An actor's subscription to one stream. */
export interface StreamFollower {
  /** A message about the stream has come. True for the first of a connection: what was before it has to be looked up. */
  hear(): boolean;
  stop(): void;
}

/** Subscribes the actor to a stream, in each life of its owner anew. */
export function followStream(context: TroupeContext, followed: FollowedStream): StreamFollower {
  const { clock, name } = context;
  const { stream, positionsOnly } = followed;
  const owner = context.ref(followed.owner as 'rooms');
  let isRunning = false;
  let isConnected = false;
  let heardAt = clock.monotonic();
  let retry: Timer | null = null;
  let check: Timer;

  function subscribe(): void {
    if (retry !== null) clock.cancel(retry);
    retry = null;
    isConnected = false;
    heardAt = clock.monotonic();
    const wish = { subscriber: name, streams: [stream], positionsOnly: positionsOnly ? [stream] : [] };
    if (owner.tell('stream.subscribe', wish) === 'mailbox-full')
      retry = clock.after(SUBSCRIBE_RETRY_MS, subscribe);
  }

  function checkSilence(): void {
    if (isRunning && clock.monotonic() - heardAt > OWNER_SILENCE_MAX_MS) subscribe();
    check = clock.after(CHECK_INTERVAL_MS, checkSilence);
  }

  context.watch(followed.owner, ({ event }) => {
    isRunning = event === 'started';
    if (isRunning) subscribe();
  });
  check = clock.after(CHECK_INTERVAL_MS, checkSilence);
  context.ended.addEventListener('abort', () => {
    clock.cancel(check);
    if (retry !== null) clock.cancel(retry);
  });
  return {
    hear() {
      const isFirst = !isConnected;
      isConnected = true;
      heardAt = clock.monotonic();
      return isFirst;
    },
    stop: () => owner.tell('stream.unsubscribe', { subscriber: name }),
  };
}
