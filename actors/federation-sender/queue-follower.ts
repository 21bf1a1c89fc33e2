import type { Timer } from '../../src/kit/clock.ts';
import { type FederationRow, federationStream } from '../../src/streams/federation-stream.ts';
import { createFollower, type Follower, type FollowerTarget } from '../../src/streams/follower.ts';
import { readFromOwner } from '../../src/streams/memory-catch-up.ts';
import { viewFigures } from '../../src/streams/stream-figures.ts';
import type { TroupeContext } from '../environment.ts';

/** An owner that was not heard for so long is subscribed to again: it tells its position more often than that. */
const OWNER_SILENCE_MAX_MS = 15_000;
const SUBSCRIBE_RETRY_MS = 100;

/** What the follower does with the queue. Everything is synchronous. */
export interface QueueSink {
  add(row: FederationRow, position: number): void;
  /** Rows were lost: the queue began anew, or did not hold all of them. */
  noteLoss(): void;
}

/** The queue for other servers, as the sender follows it. */
export interface QueueFollower extends Pick<Follower, 'receiveRows' | 'receivePosition'> {
  epoch(): number;
  position(): number;
  isLive(): boolean;
  /** Whatever came up to there is sent, or will be found again. */
  acknowledge(position: number): void;
  /** Looks whether the owner is still heard. */
  check(): void;
  close(): void;
}

function createTarget(context: TroupeContext, sink: QueueSink): FollowerTarget {
  let [epoch, position] = [0, 0];
  const owner = context.ref('federation');
  const link = {
    read: (_: string, request: Parameters<typeof owner.ask<'stream.read'>>[1]) =>
      owner.ask('stream.read', request),
  };
  return {
    position: () => position,
    epoch: () => epoch,
    apply({ rows, position: to, forgotten }) {
      if (forgotten !== undefined) sink.noteLoss();
      for (const { row, position: at } of rows) sink.add(row as FederationRow, at);
      position = to;
    },
    reset(next) {
      // The first epoch of this life: it has looked at the database itself.
      const isFirst = epoch === 0;
      [epoch, position] = [next, 0];
      if (!isFirst) sink.noteLoss();
    },
    skip(to) {
      position = to;
      sink.noteLoss();
    },
    read: (...reading) => readFromOwner(federationStream, link, ...reading),
  };
}

/** Follows the federation stream, in each life of its owner anew. */
export function followQueue(context: TroupeContext, sink: QueueSink): QueueFollower {
  const { clock, name, log, metrics, ended } = context;
  const owner = context.ref('federation');
  const target = createTarget(context, sink);
  const figures = viewFigures(metrics, federationStream.name);
  const follower = createFollower({
    stream: federationStream,
    subscriber: name,
    target,
    clock,
    log,
    figures,
  });
  let heardAt = clock.monotonic();
  let isRunning = false;
  let retry: Timer | null = null;
  let said = '';

  function connect(): void {
    if (retry !== null) clock.cancel(retry);
    retry = null;
    heardAt = clock.monotonic();
    said = '';
    follower.disconnect();
    const wish = { subscriber: name, streams: [federationStream.name] };
    if (owner.tell('stream.subscribe', wish) === 'mailbox-full')
      retry = clock.after(SUBSCRIBE_RETRY_MS, connect);
  }

  context.watch('federation', ({ event }) => {
    isRunning = event === 'started';
    if (isRunning) connect();
    else follower.disconnect();
  });
  ended.addEventListener('abort', () => {
    if (retry !== null) clock.cancel(retry);
    follower.close();
  });
  return {
    epoch: () => target.epoch(),
    position: () => target.position(),
    isLive: () => follower.state() === 'live',
    receiveRows(message) {
      heardAt = clock.monotonic();
      follower.receiveRows(message);
    },
    receivePosition(message) {
      heardAt = clock.monotonic();
      follower.receivePosition(message);
    },
    acknowledge(position) {
      const acknowledgement = {
        subscriber: name,
        stream: federationStream.name,
        epoch: target.epoch(),
        position,
      };
      const now = `${acknowledgement.epoch}.${position}`;
      if (said !== now && owner.tell('stream.acknowledge', acknowledgement) === 'sent') said = now;
    },
    check() {
      if (isRunning && clock.monotonic() - heardAt > OWNER_SILENCE_MAX_MS) connect();
    },
    close: () => follower.close(),
  };
}
