import type { ReadDb } from '../../db/kit/read-db.ts';
import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import type { CacheDefinition, ThreadCaches } from '../../src/streams/cache.ts';
import { createThreadCaches } from '../../src/streams/cache-store.ts';
import { createNotifier, type Notifier } from '../../src/streams/notifier.ts';
import type { Stream, WakeKey } from '../../src/streams/stream.ts';
import { APPLY_ORDER, type ApplyStep } from '../../src/streams/stream-view.ts';
import { createThreadViews } from '../../src/streams/thread-views.ts';
import { positionIn, type SyncToken } from '../../src/streams/token.ts';
import type { Parked, ThreadViews } from '../../src/streams/view.ts';
import { type ClientEvent, clientEventsCache } from '../../src/sync/caches/client-events.ts';
import { ignoredUsersCache } from '../../src/sync/caches/ignored-users.ts';
import { roomsOfUserCache } from '../../src/sync/caches/rooms-of-user.ts';
import { type RoomCounts, roomSummaryCache } from '../../src/sync/caches/room-summary.ts';
import type { RoomOfUser } from '../../db/rooms/sync-reader.ts';
import { silentMetrics } from '../support/database.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { type CommittedEvent, departureName } from './committed.ts';
import { type LedgerRow, ledgerRows } from './ledger.ts';
import type { Verdict } from './verdict.ts';

/** A cache, what of it is looked at, and whether a value is new enough. */
export interface WatchedCache {
  readonly cache: CacheDefinition<string, unknown>;
  readonly keys: (verdict: Verdict) => readonly string[];
  /** Undefined, or why `value` is older than position `at` of each stream. */
  readonly judge: (
    verdict: Verdict,
    key: string,
    value: unknown,
    at: (stream: string) => number,
  ) => string | undefined;
}

function watch<Value>(
  cache: CacheDefinition<string, Value>,
  keys: WatchedCache['keys'],
  judge: (verdict: Verdict, key: string, value: Value, at: (stream: string) => number) => string | undefined,
): WatchedCache {
  return {
    // A cache's own definition says what its values are.
    cache: cache as unknown as CacheDefinition<string, unknown>,
    keys,
    judge: (verdict, key, value, at) => judge(verdict, key, value as Value, at),
  };
}

const roomsOf = ({ committed }: Verdict): readonly string[] => committed.rooms;

/** Every cache that membership, state, account data or receipts make untrue, with what it must say at a position. */
export const WATCHED_CACHES: readonly WatchedCache[] = [
  watch<readonly RoomOfUser[]>(
    roomsOfUserCache,
    ({ users }) => users,
    ({ committed }, userId, rooms, at) => {
      for (const [roomId, position] of committed.membershipChanges(userId, at('events'))) {
        const room = rooms.find((each) => each.roomId === roomId);
        // Its position tells when the membership began; an invite may be repeated.
        const asOf = room === undefined ? undefined : committed.positionOf(room.eventId);
        if (asOf === undefined || asOf < position)
          return `${roomId} changed at ${position} and is as of ${asOf ?? 'never'}`;
      }
      return undefined;
    },
  ),
  watch<readonly string[]>(hostsInRoom, roomsOf, ({ committed }, roomId, hosts, at) => {
    const told = hosts.join();
    const moments = committed.roomMoments(roomId, at('events'));
    return moments.some((moment) => moment.hosts === told) ? undefined : `hosts ${told}`;
  }),
  watch<RoomCounts>(roomSummaryCache, roomsOf, ({ committed }, roomId, counts, at) => {
    const moments = committed.roomMoments(roomId, at('events'));
    const isTrue = (['joined', 'invited', 'isNamed'] as const).every((field) =>
      moments.some((moment) => moment[field] === counts[field]),
    );
    return isTrue ? undefined : `counts ${JSON.stringify(counts)}`;
  }),
  watch<ReadonlySet<string>>(
    ignoredUsersCache,
    ({ users }) => users,
    ({ committed }, userId, ignored, at) => {
      const told = [...ignored].toSorted().join();
      return committed.ignored(userId, at('account-data')).includes(told) ? undefined : `ignores ${told}`;
    },
  ),
  watch<ClientEvent | null>(
    clientEventsCache,
    ({ redacted }) => [...redacted],
    ({ committed }, eventId, event, at) => {
      const position = committed.redactedAt(eventId);
      if (position === undefined || position > at('events')) return undefined;
      return event === null || event.redactedBy === null ? `redacted at ${position}, and shown` : undefined;
    },
  ),
];

/** A long poll of the simulation. */
export interface WatchedPoll {
  readonly keys: readonly WakeKey[];
  readonly since: SyncToken;
}

/** The streams and caches of one life of a thread, watched. */
export interface Seat {
  readonly name: string;
  readonly views: ThreadViews;
  readonly caches: ThreadCaches;
  /** Parks, and has an eye on it. */
  park(keys: readonly WakeKey[], since: SyncToken, timeoutMs: number): Parked;
  /** Judges a value that was read after the views stood at `at`. */
  judgeRead(cache: CacheDefinition<string, never>, key: string, value: unknown, at: SyncToken): void;
  /** Looks at everything that must hold between two steps. */
  look(): void;
  /** Replies that saw their own write at `position` of events: whoever was to be woken by it has been. */
  judgeReleased(position: number): void;
  timedOut(stream: string): number;
  close(): void;
}

export interface SeatOptions {
  readonly thread: string;
  readonly db: ReadDb;
  readonly clock: Clock;
  readonly streams: readonly Stream[];
  readonly verdict: Verdict;
  readonly applyOrder?: readonly ApplyStep[];
  /** Mutations put something between. */
  readonly wrapCaches?: (caches: ThreadCaches) => ThreadCaches;
  readonly wrapViews?: (views: ThreadViews) => ThreadViews;
}

/** Rows of a stream as a view was given them: exactly those above its start, once, in order. */
interface RowOrder {
  row(row: unknown): void;
  moved(position: number): void;
}

function createEventsOrder(verdict: Verdict, seat: string): RowOrder {
  let last: number | null = null;
  return {
    row(row) {
      const given = row as EventsRow;
      const eventId =
        given.kind === 'room' ? departureName(given.change, given.roomId) : (given.eventId ?? 'a removal');
      const position = verdict.committed.positionOf(eventId);
      if (position === undefined)
        verdict.blame('3.3', `${seat} was given ${eventId}, which is not committed`);
      else if (last !== null && position !== last + 1)
        verdict.blame('3.3', `${seat} was given the event at ${position} after that at ${last}`);
      last = position ?? last;
    },
    moved(position) {
      if (last !== null && last !== position)
        verdict.blame('3.3', `${seat} stands at ${position} of events and was given rows up to ${last}`);
      last = position;
    },
  };
}

function createLedgerOrder(verdict: Verdict, seat: string): RowOrder {
  let last: number | null = null;
  let pending: LedgerRow[] = [];
  return {
    row: (row) => void pending.push(row as LedgerRow),
    moved(position) {
      const given = pending.map((row) => `${row.position}/${row.index}`).join();
      pending = [];
      const expected: string[] = [];
      for (let at = (last ?? position) + 1; at <= position; at += 1)
        for (const row of ledgerRows(at)) expected.push(`${row.position}/${row.index}`);
      if (given !== expected.join())
        verdict.blame(
          '3.5',
          `${seat} moved from ${last} to ${position} of ledger with [${given.slice(0, 200)}]`,
        );
      last = position;
    },
  };
}

function isBeyond(now: SyncToken, since: SyncToken): boolean {
  return Object.keys(now.positions).some((stream) => {
    const [here, there] = [positionIn(now, stream), positionIn(since, stream)];
    return here.epoch !== there.epoch || here.position > there.position;
  });
}

/** Makes the streams and caches of one life of a thread. */
export function takeSeat(options: SeatOptions): Seat {
  const { thread, verdict, clock } = options;
  const polls = new Set<WatchedPoll>();
  const orders: Readonly<Record<string, RowOrder>> = {
    events: createEventsOrder(verdict, thread),
    ledger: createLedgerOrder(verdict, thread),
  };
  const highest = new Map<string, { epoch: number; position: number }>();
  const epochsSeen = new Map<string, Set<number>>();
  const timedOut = new Map<string, number>();
  let isDirty = false;

  const at = (stream: string): number => views.currentToken(stream);
  const lookAtCaches = (): void => {
    for (const { cache, keys, judge } of WATCHED_CACHES) {
      for (const key of keys(verdict)) {
        const value = caches.peek(cache, key);
        if (value === undefined) continue;
        const objection = judge(verdict, key, value, at);
        if (objection !== undefined)
          verdict.blame('6.1', `${thread} at ${at('events')}: ${cache.name} of ${key}: ${objection}`);
      }
    }
  };
  const moved = (stream: string, position: number): void => {
    isDirty = true;
    orders[stream]?.moved(position);
    verdict.trace(`${thread} ${stream} ${position}`);
    lookAtCaches();
  };
  const metrics: Metrics = {
    ...silentMetrics,
    counter: (name) => {
      const [, stream = ''] = /^stream\.(.*)\.waiters-timed-out$/.exec(name) ?? [];
      return { add: () => void timedOut.set(stream, (timedOut.get(stream) ?? 0) + 1) };
    },
    gauge: (name) => {
      const [, stream] = /^stream\.(.*)\.applied$/.exec(name) ?? [];
      if (stream === undefined)
        return { set: () => void (isDirty ||= name.startsWith('cache.')), read: () => 0 };
      const isDurable = options.streams.some((each) => each.name === stream && each.kind === 'durable');
      return {
        set(value) {
          isDirty = true;
          if (isDurable) moved(stream, value);
        },
        read: () => 0,
      };
    },
  };
  const inner = createNotifier(clock, silentMetrics);
  const notifier: Notifier = {
    ...inner,
    wake(keys) {
      const woken = new Set(keys);
      lookAtCaches();
      for (const poll of polls)
        if (woken.has('everyone') || poll.keys.some((key) => woken.has(key)))
          if (!isBeyond(views.now(), poll.since))
            verdict.blame('6.1', `${thread} wakes a poll that stands where it stood`);
      inner.wake(woken);
    },
  };
  const streams = options.streams.map((stream): Stream => {
    const order = orders[stream.name];
    if (order === undefined) return stream;
    const wakes = (row: unknown): readonly WakeKey[] => {
      order.row(row);
      return stream.wakes(row);
    };
    return { ...stream, wakes };
  });
  const plainCaches = createThreadCaches({ db: options.db, metrics });
  const caches = options.wrapCaches?.(plainCaches) ?? plainCaches;
  const plainViews = createThreadViews({
    subscriber: `views@${thread}`,
    db: options.db,
    caches,
    clock,
    metrics,
    log: silentLogger,
    streams,
    notifier,
    applyOrder: options.applyOrder ?? APPLY_ORDER,
  });
  const views = options.wrapViews?.(plainViews) ?? plainViews;

  const lookAtTokens = (): void => {
    for (const { name } of streams) {
      const now = { epoch: views.epoch(name), position: views.currentToken(name) };
      const before = highest.get(name);
      if (!Number.isInteger(now.position))
        verdict.blame('2.1', `${thread} stands at ${now.position} of ${name}`);
      if (before?.epoch === now.epoch && now.position < before.position)
        verdict.blame('3.8', `${thread} fell from ${before.position} to ${now.position} of ${name}`);
      if (before?.epoch !== now.epoch) {
        const seen = epochsSeen.get(name) ?? new Set();
        if (seen.has(now.epoch)) verdict.blame('2.3', `${thread} came back to epoch ${now.epoch} of ${name}`);
        epochsSeen.set(name, seen.add(now.epoch));
      }
      highest.set(name, now);
    }
  };
  const isMissed = ({ keys, since }: WatchedPoll): boolean =>
    streams.some(({ name, letter }) => {
      if (letter === null) return false;
      const seen = positionIn(since, name);
      const after = seen.epoch === views.epoch(name) ? seen.position : 0;
      return views.currentToken(name) > after && keys.some((key) => views.mayHaveChanged(name, key, after));
    });
  const lookAtPolls = (): void => {
    for (const poll of polls)
      if (isMissed(poll))
        verdict.blame('6.1', `${thread} leaves a poll parked that has news: ${poll.keys.join()}`);
  };

  return {
    name: thread,
    views,
    caches,
    park(keys, since, timeoutMs) {
      const parked = views.park(keys, since, timeoutMs);
      const poll = { keys, since };
      polls.add(poll);
      // In the very turn in which it is over.
      const outcome = parked.outcome.then((how) => {
        polls.delete(poll);
        return how;
      });
      return { outcome, cancel: () => parked.cancel() };
    },
    judgeRead(cache, key, value, since) {
      const watched = WATCHED_CACHES.find((each) => each.cache.name === cache.name);
      const objection = watched?.judge(verdict, key, value, (stream) => positionIn(since, stream).position);
      if (objection !== undefined)
        verdict.blame('6.1', `${thread} read ${cache.name} of ${key}: ${objection}`);
    },
    look() {
      if (!isDirty) return;
      isDirty = false;
      lookAtTokens();
      lookAtCaches();
      lookAtPolls();
    },
    judgeReleased(position) {
      const event: CommittedEvent | undefined = verdict.committed.eventAt(position);
      if (event === undefined) return;
      for (const { keys, since } of polls)
        if (positionIn(since, 'events').position < position && keys.includes(`room:${event.roomId}`))
          verdict.blame('1.6', `${thread} released a reply before it woke the polls of ${event.roomId}`);
    },
    timedOut: (stream) => timedOut.get(stream) ?? 0,
    close: () => views.close(),
  };
}
