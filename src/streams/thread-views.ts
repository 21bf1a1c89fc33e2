import type { ReadDb } from '../../db/kit/read-db.ts';
import { readStreamStart } from '../../db/streams/reader.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { Metrics } from '../kit/metrics.ts';
import type { ThreadCaches } from './cache.ts';
import { createFollower, type Follower } from './follower.ts';
import type { StreamPosition } from './message.ts';
import { createNotifier, type Notifier, parkedAlready } from './notifier.ts';
import { streams as registered } from './registry.ts';
import type { Stream, StreamRow, WakeKey } from './stream.ts';
import { APPLY_ORDER, type ApplyStep, createStreamView, type StreamView } from './stream-view.ts';
import { positionIn, type StreamPositionOfClient, type SyncToken } from './token.ts';
import { type OwnerLink, READ_YOUR_WRITES_WAIT_MS, type Subscription, type ThreadViews } from './view.ts';

export interface ThreadViewsOptions {
  /** Name of the actor that subscribes for this thread: `views@<thread>`. */
  readonly subscriber: string;
  readonly db: ReadDb;
  readonly caches: ThreadCaches;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The registry when absent. */
  readonly streams?: readonly Stream[];
  /** {@link APPLY_ORDER} when absent; mutation tests alone give another. */
  readonly applyOrder?: readonly ApplyStep[];
  /** One of its own when absent; simulations give one that they can look into. */
  readonly notifier?: Notifier;
}

interface Followed {
  readonly stream: Stream;
  readonly view: StreamView;
  readonly follower: Follower;
}

type ByName = ReadonlyMap<string, Followed>;

function get(followed: ByName, stream: string): Followed {
  const found = followed.get(stream);
  if (found === undefined) throw new Error(`no such stream: ${stream}`);
  return found;
}

/** Rows that are kept until somebody has acknowledged them are for their senders: a thread's view needs their position. */
function needsPositionsOnly(stream: Stream): boolean {
  return stream.kind === 'memory' && stream.retention === 'until-acknowledged';
}

function subscriptionsOf(streams: readonly Stream[]): readonly Subscription[] {
  const owners = new Set(streams.map(({ owner }) => owner));
  return [...owners].map((owner) => {
    const owned = streams.filter((stream) => stream.owner === owner);
    return {
      owner,
      streams: owned.map(({ name }) => name),
      positionsOnly: owned.filter(needsPositionsOnly).map(({ name }) => name),
    };
  });
}

function vectorOf(followed: ByName): SyncToken {
  const positions: Record<string, StreamPositionOfClient> = {};
  for (const { stream, view } of followed.values())
    if (stream.letter !== null) positions[stream.name] = { epoch: view.epoch(), position: view.position() };
  return { positions };
}

/** Has any of `keys` happened on any stream of clients after `since`? */
function hasNews(followed: ByName, keys: readonly WakeKey[], since: SyncToken): boolean {
  for (const { stream, view } of followed.values()) {
    if (stream.letter === null) continue;
    const seen = positionIn(since, stream.name);
    const after = seen.epoch === view.epoch() ? seen.position : 0;
    if (view.position() > after && keys.some((key) => view.changes.mayHaveChanged(key, after))) return true;
  }
  return false;
}

async function loadPositions(followed: ByName, db: ReadDb): Promise<void> {
  const durable = [...followed.values()].flatMap(({ stream, view }) =>
    stream.kind === 'durable' ? [{ stream, view }] : [],
  );
  // All or none: an answer that came after another had failed would move a view that is followed by then, past rows that it was not given.
  const starts = await Promise.all(durable.map(({ stream }) => readStreamStart(db, stream)));
  for (const [index, { view }] of durable.entries()) view.startAt(starts[index]?.forward ?? 0);
}

function follow(options: ThreadViewsOptions, view: StreamView): Followed {
  const { subscriber, clock, log } = options;
  const { stream, figures } = view;
  const follower = createFollower({ stream, subscriber, target: view, clock, log, figures });
  return { stream, view, follower };
}

/**
 * Makes the views of one thread. Every stream of the registry is followed; until its owner has connected it stands where the
 * database had it.
 */
export function createThreadViews(options: ThreadViewsOptions): ThreadViews {
  const { streams = registered, applyOrder = APPLY_ORDER, clock, metrics } = options;
  const { notifier = createNotifier(clock, metrics) } = options;
  let link: OwnerLink | null = null;
  let loaded: Promise<void> | null = null;
  const makeView = (stream: Stream): StreamView =>
    createStreamView({ ...options, stream, notifier, applyOrder, link: () => link });
  const followed: ByName = new Map(streams.map((stream) => [stream.name, follow(options, makeView(stream))]));
  const receive = (message: StreamPosition, hand: (follower: Follower) => void): void => {
    const found = followed.get(message.stream);
    if (found === undefined) metrics.counter('stream.unknown.drops').add();
    else hand(found.follower);
  };

  return {
    currentToken: (stream) => get(followed, stream).view.position(),
    epoch: (stream) => get(followed, stream).view.epoch(),
    now: () => vectorOf(followed),
    reached: (stream, position, epoch) =>
      get(followed, stream).view.wait(position, epoch ?? null, READ_YOUR_WRITES_WAIT_MS),
    park: (keys, since, timeoutMs) =>
      hasNews(followed, keys, since) ? parkedAlready('woken') : notifier.park(keys, timeoutMs),
    // A view holds rows of the very type that its stream declares.
    memoryRows: (stream, from) =>
      get(followed, stream.name).view.rowsAfter(from) as readonly StreamRow<never>[],
    forgottenRows: (stream) => get(followed, stream.name).view.forgotten() as readonly never[],
    forgottenUpTo: (stream) => get(followed, stream).view.forgottenUpTo(),
    mayHaveChanged: (stream, key, after) => get(followed, stream).view.changes.mayHaveChanged(key, after),
    lastChange: (stream, key) => get(followed, stream).view.changes.lastChange(key),
    load() {
      loaded ??= loadPositions(followed, options.db).catch((error: unknown) => {
        loaded = null;
        throw error;
      });
      return loaded;
    },
    subscriptions: () => subscriptionsOf(streams),
    connect(next) {
      link = next;
      for (const { follower } of followed.values()) follower.disconnect();
    },
    disconnect(owner) {
      for (const { stream, follower } of followed.values()) if (stream.owner === owner) follower.disconnect();
    },
    receiveRows: (message) => receive(message, (follower) => follower.receiveRows(message)),
    receivePosition: (message) => receive(message, (follower) => follower.receivePosition(message)),
    close() {
      for (const { view, follower } of followed.values()) {
        follower.close();
        view.close();
      }
      notifier.close();
    },
  };
}
