import type { TellOutcome } from '../../actors/kit/ref.ts';
import type { Clock, Timer } from '../kit/clock.ts';
import { packMessages, type PositionContent } from './message-batches.ts';
import type { StreamPosition, StreamRows } from './message.ts';
import { type OwnerFigures, SUBSCRIBERS_MAX } from './stream-figures.ts';

/** How an owner tells its subscribers, by name. */
export interface OwnerTransport {
  tellRows(subscriber: string, message: StreamRows): TellOutcome;
  tellPosition(subscriber: string, message: StreamPosition): TellOutcome;
}

/** How often every subscriber is told the position again, so that a lost message is noticed on a quiet stream. */
export const POSITION_REPAIR_INTERVAL_MS = 5_000;

/** How soon a subscriber whose mailbox was full is tried again. */
export const SLOW_SUBSCRIBER_RETRY_MS = 250;

/** Tells the subscribers of one stream what was committed, in order. */
export interface Publisher {
  /** The last position that was told. */
  published(): number;
  /** Adds a subscriber, or connects it anew, and tells it one POSITION. No database is read. */
  subscribe(subscriber: string, options: { readonly positionsOnly: boolean }): void;
  unsubscribe(subscriber: string): void;
  acknowledge(subscriber: string, position: number): void;
  /** Tells everybody what the next positions hold, ascending. Where they hold nothing, everybody is told the position. */
  publish(contents: readonly PositionContent[]): void;
  /** Ends the timers. */
  close(): void;
}

interface Subscriber {
  readonly name: string;
  readonly positionsOnly: boolean;
  /** False while its mailbox is full: it is told nothing until it can be told the position. */
  isConnected: boolean;
  acknowledged: number;
}

export interface PublisherOptions {
  readonly stream: string;
  readonly owner: string;
  readonly epoch: number;
  readonly start: number;
  readonly transport: OwnerTransport;
  readonly clock: Clock;
  readonly figures: OwnerFigures;
}

interface Publication extends PublisherOptions {
  readonly subscribers: Map<string, Subscriber>;
  published: number;
  retry: Timer | null;
  repair: Timer | null;
}

function positionOf({ stream, owner, epoch }: Publication, prev: number, position: number): StreamPosition {
  return { stream, owner, epoch, prev, position };
}

function remove({ subscribers, figures }: Publication, name: string): void {
  if (subscribers.delete(name)) figures.subscribers.set(subscribers.size);
}

function showLag({ figures, published }: Publication, { name, acknowledged }: Subscriber): void {
  const gauges = figures.subscriber(name);
  gauges.position.set(acknowledged);
  gauges.lag.set(Math.max(0, published - acknowledged));
}

/** Who cannot be told is told nothing more, until there is room for a position. */
function settle(publication: Publication, subscriber: Subscriber, outcome: TellOutcome): void {
  const { figures, clock } = publication;
  if (outcome === 'sent') {
    figures.messagesSent.add();
    return;
  }
  figures.dropped(outcome);
  subscriber.isConnected = false;
  if (outcome === 'stopped') remove(publication, subscriber.name);
  else publication.retry ??= clock.after(SLOW_SUBSCRIBER_RETRY_MS, () => reconnect(publication));
}

function tellWhereWeAre(publication: Publication, subscriber: Subscriber): void {
  const { transport, published } = publication;
  subscriber.isConnected = true;
  const message = positionOf(publication, published, published);
  settle(publication, subscriber, transport.tellPosition(subscriber.name, message));
}

function reconnect(publication: Publication): void {
  publication.retry = null;
  for (const subscriber of publication.subscribers.values())
    if (!subscriber.isConnected) tellWhereWeAre(publication, subscriber);
}

function repairRegularly(publication: Publication): void {
  publication.repair = publication.clock.after(POSITION_REPAIR_INTERVAL_MS, () => {
    for (const subscriber of publication.subscribers.values()) {
      showLag(publication, subscriber);
      if (subscriber.isConnected) tellWhereWeAre(publication, subscriber);
    }
    repairRegularly(publication);
  });
}

/** Tells everybody what is between `published` and `position`: rows where there are any. */
function tellAll(publication: Publication, position: number, rows: StreamRows | null): void {
  const { subscribers, transport, published: prev } = publication;
  publication.published = position;
  for (const subscriber of subscribers.values()) {
    if (!subscriber.isConnected) continue;
    const outcome =
      rows === null || subscriber.positionsOnly
        ? transport.tellPosition(subscriber.name, positionOf(publication, prev, position))
        : transport.tellRows(subscriber.name, rows);
    settle(publication, subscriber, outcome);
  }
}

function publish(publication: Publication, contents: readonly PositionContent[]): void {
  const { figures } = publication;
  for (const { position, rows, invalidations } of packMessages(contents)) {
    const isBare = rows.length === 0 && invalidations.length === 0;
    const header = positionOf(publication, publication.published, position);
    tellAll(publication, position, isBare ? null : { ...header, rows, invalidations });
    figures.rowsPublished.add(rows.length);
    figures.pokesOut.add(invalidations.length);
  }
  figures.published.set(publication.published);
}

function subscribe(publication: Publication, name: string, positionsOnly: boolean): void {
  const { subscribers, figures, owner } = publication;
  if (name === owner) return figures.dropped('own-rows');
  const before = subscribers.get(name);
  if (before === undefined && subscribers.size >= SUBSCRIBERS_MAX)
    return figures.dropped('too-many-subscribers');
  const acknowledged = before?.acknowledged ?? 0;
  const subscriber: Subscriber = { name, positionsOnly, isConnected: true, acknowledged };
  subscribers.set(name, subscriber);
  figures.subscribers.set(subscribers.size);
  return tellWhereWeAre(publication, subscriber);
}

/** Makes a publisher without subscribers. */
export function createPublisher(options: PublisherOptions): Publisher {
  const publication: Publication = {
    ...options,
    subscribers: new Map(),
    published: options.start,
    retry: null,
    repair: null,
  };
  repairRegularly(publication);
  return {
    published: () => publication.published,
    subscribe: (name, { positionsOnly }) => subscribe(publication, name, positionsOnly),
    unsubscribe: (name) => remove(publication, name),
    acknowledge(name, position) {
      const subscriber = publication.subscribers.get(name);
      if (subscriber === undefined) return;
      subscriber.acknowledged = Math.max(subscriber.acknowledged, position);
      showLag(publication, subscriber);
    },
    publish: (contents) => publish(publication, contents),
    close() {
      if (publication.retry !== null) publication.clock.cancel(publication.retry);
      if (publication.repair !== null) publication.clock.cancel(publication.repair);
    },
  };
}
