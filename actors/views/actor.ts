import type { Timer } from '../../src/kit/clock.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Subscription, ThreadViews } from '../../src/streams/view.ts';
import { defineActor, type Environment, type TroupeContext } from '../environment.ts';
import type { ActorDefinition } from '../kit/actor.ts';
import type { ActorRef } from '../kit/ref.ts';
import type { ActorMap } from '../protocols.ts';
import type { ViewsProtocol } from './protocol.ts';

/** How many announcements may wait for a thread before its owners stop telling it, so that it catches up later. */
export const VIEWS_MAILBOX_MAX = 4_096;

/** How often a thread says how far it is, and looks whether its owners are still heard. */
export const VIEWS_CHECK_INTERVAL_MS = 1_000;

/** An owner that was not heard for so long is subscribed to again: it tells its position more often than that. */
export const OWNER_SILENCE_MAX_MS = 15_000;

/** How soon a subscription that its owner's mailbox had no room for is tried again. */
export const SUBSCRIBE_RETRY_MS = 100;

interface Connection {
  readonly subscription: Subscription;
  readonly owner: ActorRef<StreamOwnerProtocol>;
  isRunning: boolean;
  heardAt: number;
  retry: Timer | null;
  /** What the owner was last told of our position on each stream. */
  readonly said: Map<string, string>;
}

function connect(context: TroupeContext, connection: Connection): void {
  const { clock, name } = context;
  const { subscription, owner } = connection;
  if (connection.retry !== null) clock.cancel(connection.retry);
  connection.retry = null;
  connection.heardAt = clock.monotonic();
  connection.said.clear();
  const { streams, positionsOnly } = subscription;
  const outcome = owner.tell('stream.subscribe', { subscriber: name, streams, positionsOnly });
  if (outcome === 'mailbox-full')
    connection.retry = clock.after(SUBSCRIBE_RETRY_MS, () => connect(context, connection));
}

function watchOwner(context: TroupeContext, views: ThreadViews, subscription: Subscription): Connection {
  const connection: Connection = {
    subscription,
    // Whoever owns a stream understands the messages of owners.
    owner: context.ref(subscription.owner as 'rooms'),
    isRunning: false,
    heardAt: context.clock.monotonic(),
    retry: null,
    said: new Map(),
  };
  context.watch(subscription.owner, ({ event }) => {
    connection.isRunning = event === 'started';
    if (connection.isRunning) connect(context, connection);
    else views.disconnect(subscription.owner);
  });
  return connection;
}

/** Says how far each stream is, where that has changed. */
function acknowledge(context: TroupeContext, views: ThreadViews, connection: Connection): void {
  const { subscription, owner, said } = connection;
  for (const stream of subscription.streams) {
    const [epoch, position] = [views.epoch(stream), views.currentToken(stream)];
    const now = `${epoch}.${position}`;
    if (said.get(stream) === now) continue;
    if (owner.tell('stream.acknowledge', { subscriber: context.name, stream, epoch, position }) === 'sent')
      said.set(stream, now);
  }
}

function checkRegularly(
  context: TroupeContext,
  views: ThreadViews,
  connections: readonly Connection[],
): void {
  const { clock, ended } = context;
  let timer: Timer;
  const check = (): void => {
    for (const connection of connections) {
      if (!connection.isRunning) continue;
      acknowledge(context, views, connection);
      if (clock.monotonic() - connection.heardAt > OWNER_SILENCE_MAX_MS) connect(context, connection);
    }
    timer = clock.after(VIEWS_CHECK_INTERVAL_MS, check);
  };
  timer = clock.after(VIEWS_CHECK_INTERVAL_MS, check);
  ended.addEventListener('abort', () => {
    clock.cancel(timer);
    for (const { retry } of connections) if (retry !== null) clock.cancel(retry);
  });
}

/** What this thread notices of other servers goes to the sender, which tells all threads. */
function connectReachability(context: TroupeContext): void {
  const { reachability } = context.env;
  if (reachability !== undefined) {
    const sender = context.ref('federation-sender');
    reachability.connect({
      heard: (serverName) => void sender.tell('federation-sender.note-heard', { serverName, isAnswer: true }),
      unreachable: (serverName, reason) =>
        void sender.tell('federation-sender.note-unreachable', { serverName, reason }),
    });
  }
}

/**
 * Defines the subscriber of one thread: it subscribes to the owner of every stream whenever that owner starts, and hands what it is
 * told to the thread's views.
 *
 * @param thread the name of the thread that it lives on
 */
export function defineViewsActor(thread: string): ActorDefinition<ViewsProtocol, ActorMap, Environment> {
  return defineActor<ViewsProtocol>({
    name: `views@${thread}`,
    mailbox: { limit: VIEWS_MAILBOX_MAX, whenFull: 'refuse' },
    order: { kind: 'serial' },
    async start(context) {
      const views = context.env.streams;
      if (views === null) throw new Error(`${context.name} lives on a thread without streams`);
      await views.load();
      views.connect({
        read: (owner, request) =>
          (context.ref(owner as 'rooms') as ActorRef<StreamOwnerProtocol>).ask('stream.read', request),
      });
      connectReachability(context);
      const connections = views.subscriptions().map((each) => watchOwner(context, views, each));
      const byOwner = new Map(connections.map((each) => [each.subscription.owner, each]));
      const hear = (owner: string): void => {
        const connection = byOwner.get(owner);
        if (connection !== undefined) connection.heardAt = context.clock.monotonic();
      };
      checkRegularly(context, views, connections);
      return {
        handlers: {
          'stream.rows'(message) {
            hear(message.owner);
            views.receiveRows(message);
          },
          'stream.position'(message) {
            hear(message.owner);
            views.receivePosition(message);
          },
        },
        stop() {
          for (const { owner } of connections) owner.tell('stream.unsubscribe', { subscriber: context.name });
        },
      };
    },
  });
}
