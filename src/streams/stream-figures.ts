import type { Counter, Gauge, Histogram, Metrics, TextGauge } from '../kit/metrics.ts';

/*
 * Every figure of a stream, as the inspector reads them from shared memory. `<stream>` is the stream's name.
 *
 * Set by the owner (on its thread):
 *   stream.<stream>.owner                       the actor that owns it (text)
 *   stream.<stream>.epoch                       its epoch, 0 for durable streams
 *   stream.<stream>.committed                   the owner's token
 *   stream.<stream>.published                   the last position that was told to subscribers
 *   stream.<stream>.rows-published              rows told, counted once whatever the number of subscribers
 *   stream.<stream>.messages-sent               ROWS and POSITION told, counted per subscriber
 *   stream.<stream>.rows-held                   rows in memory (in-memory streams)
 *   stream.<stream>.rows-overflowed             rows that were forgotten because too many were held
 *   stream.<stream>.subscribers                 how many are subscribed
 *   stream.<stream>.subscriber.<name>.position  how far a subscriber has acknowledged
 *   stream.<stream>.subscriber.<name>.lag       positions it is behind what is published
 *   stream.<stream>.drops.<reason>              see OwnerDrop
 *   stream.<stream>.pokes-in                    invalidations that rows of this stream were found to imply
 *   stream.<stream>.pokes-out                   invalidations sent, counted once whatever the number of subscribers
 *
 * Set by a thread's views (one value per thread):
 *   stream.<stream>.applied                     the thread's position
 *   stream.<stream>.applied-epoch               the epoch it belongs to
 *   stream.<stream>.state                       unconnected, live, catching-up or stalled (text)
 *   stream.<stream>.rows-applied                rows applied, from messages and from catch-up
 *   stream.<stream>.invalidations-applied       facts applied
 *   stream.<stream>.catch-ups                   how often it caught up
 *   stream.<stream>.catch-up-pages              pages it fetched for that
 *   stream.<stream>.catch-up-rows               rows in them
 *   stream.<stream>.catch-up-ms                 how long each took (histogram)
 *   stream.<stream>.resets                      new epochs seen
 *   stream.<stream>.failures                    updates that threw
 *   stream.<stream>.last-error                  the last of them (text)
 *   stream.<stream>.waiters                     replies that wait for a position now
 *   stream.<stream>.waiters-timed-out           replies that did not see their own write in time
 *   stream.<stream>.drops.<reason>              see FollowerDrop
 */

/** Why an owner did not tell something, or tells somebody no longer. */
export const OWNER_DROPS = [
  /** The subscriber's mailbox was full: it is told again when there is room, and catches up. */
  'mailbox-full',
  /** The subscriber is not running. */
  'stopped',
  /** More subscribers than {@link SUBSCRIBERS_MAX}. */
  'too-many-subscribers',
  /** The owner tried to subscribe to its own stream. */
  'own-rows',
] as const;
export type OwnerDrop = (typeof OWNER_DROPS)[number];

/** Why a subscriber did not apply a message. */
export const FOLLOWER_DROPS = [
  'before-position',
  'during-catch-up',
  'duplicate',
  'gap',
  'other-epoch',
  'other-owner',
  'own-rows',
] as const;
export type FollowerDrop = (typeof FOLLOWER_DROPS)[number];

/** How many subscribers one stream has at most. */
export const SUBSCRIBERS_MAX = 256;

export interface OwnerFigures {
  readonly owner: TextGauge;
  readonly epoch: Gauge;
  readonly committed: Gauge;
  readonly published: Gauge;
  readonly rowsPublished: Counter;
  readonly messagesSent: Counter;
  readonly rowsHeld: Gauge;
  readonly rowsOverflowed: Counter;
  readonly subscribers: Gauge;
  readonly pokesIn: Counter;
  readonly pokesOut: Counter;
  subscriber(name: string): { readonly position: Gauge; readonly lag: Gauge };
  dropped(reason: OwnerDrop): void;
}

/** The figures that the owner of `stream` keeps. */
export function ownerFigures(metrics: Metrics, stream: string): OwnerFigures {
  const name = (figure: string): string => `stream.${stream}.${figure}`;
  return {
    owner: metrics.text(name('owner')),
    epoch: metrics.gauge(name('epoch')),
    committed: metrics.gauge(name('committed')),
    published: metrics.gauge(name('published')),
    rowsPublished: metrics.counter(name('rows-published')),
    messagesSent: metrics.counter(name('messages-sent')),
    rowsHeld: metrics.gauge(name('rows-held')),
    rowsOverflowed: metrics.counter(name('rows-overflowed')),
    subscribers: metrics.gauge(name('subscribers')),
    pokesIn: metrics.counter(name('pokes-in')),
    pokesOut: metrics.counter(name('pokes-out')),
    subscriber: (subscriber) => ({
      position: metrics.gauge(name(`subscriber.${subscriber}.position`)),
      lag: metrics.gauge(name(`subscriber.${subscriber}.lag`)),
    }),
    dropped: (reason) => metrics.counter(name(`drops.${reason}`)).add(),
  };
}

export interface ViewFigures {
  readonly applied: Gauge;
  readonly appliedEpoch: Gauge;
  readonly state: TextGauge;
  readonly rowsApplied: Counter;
  readonly invalidationsApplied: Counter;
  readonly catchUps: Counter;
  readonly catchUpPages: Counter;
  readonly catchUpRows: Counter;
  readonly catchUpMs: Histogram;
  readonly resets: Counter;
  readonly failures: Counter;
  readonly lastError: TextGauge;
  readonly waiters: Gauge;
  readonly waitersTimedOut: Counter;
  dropped(reason: FollowerDrop): void;
}

/** The figures that a follower of `stream` keeps. */
export function viewFigures(metrics: Metrics, stream: string): ViewFigures {
  const name = (figure: string): string => `stream.${stream}.${figure}`;
  return {
    applied: metrics.gauge(name('applied')),
    appliedEpoch: metrics.gauge(name('applied-epoch')),
    state: metrics.text(name('state')),
    rowsApplied: metrics.counter(name('rows-applied')),
    invalidationsApplied: metrics.counter(name('invalidations-applied')),
    catchUps: metrics.counter(name('catch-ups')),
    catchUpPages: metrics.counter(name('catch-up-pages')),
    catchUpRows: metrics.counter(name('catch-up-rows')),
    catchUpMs: metrics.histogram(name('catch-up-ms')),
    resets: metrics.counter(name('resets')),
    failures: metrics.counter(name('failures')),
    lastError: metrics.text(name('last-error')),
    waiters: metrics.gauge(name('waiters')),
    waitersTimedOut: metrics.counter(name('waiters-timed-out')),
    dropped: (reason) => metrics.counter(name(`drops.${reason}`)).add(),
  };
}
