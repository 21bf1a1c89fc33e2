import { defineActor, type TroupeContext } from '../../actors/environment.ts';
import { OWNER_SILENCE_MAX_MS } from '../../actors/views/actor.ts';
import type { ViewsProtocol } from '../../actors/views/protocol.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import { federationStream, type FederationRow } from '../../src/streams/federation-stream.ts';
import { createFollower, type FollowerTarget } from '../../src/streams/follower.ts';
import { viewFigures } from '../../src/streams/stream-figures.ts';
import { silentMetrics } from '../support/database.ts';
import type { Definition } from './wire.ts';

/** What one sender has sent, over all its lives. */
export interface Deliveries {
  /** Events and EDUs without a key, by what they name. */
  readonly sent: Set<string>;
  /** Of EDUs with a key: the last one that was sent. */
  readonly latest: Map<string, string>;
}

/** How often a sender says how far it is. */
const ACKNOWLEDGE_INTERVAL_MS = 700;

function deliver({ sent, latest }: Deliveries, row: FederationRow): void {
  const key = federationStream.key(row);
  if (key !== null) latest.set(key, JSON.stringify(row));
  else if (row.kind === 'event') sent.add(`${row.destination} ${row.eventId}`);
  else sent.add(`${row.destination} ${JSON.stringify(row.content)}`);
}

function createTarget(context: TroupeContext, deliveries: Deliveries): FollowerTarget {
  let [epoch, position] = [0, 0];
  return {
    position: () => position,
    epoch: () => epoch,
    apply(batch) {
      for (const { row } of batch.rows) deliver(deliveries, row as FederationRow);
      ({ position } = batch);
    },
    reset(next) {
      [epoch, position] = [next, 0];
    },
    skip(to) {
      position = to;
    },
    read: (of, from, to, limit) =>
      context.ref('federation').ask('stream.read', { stream: 'federation', epoch: of, from, to, limit }),
  };
}

/**
 * Defines one of several senders of the federation queue: it follows its rows, sends them, and acknowledges a while later. It remembers
 * nothing over a restart.
 */
export function defineSender(name: `views@${string}`, deliveries: Deliveries): Definition {
  return defineActor<ViewsProtocol>({
    name,
    mailbox: { limit: 64, whenFull: 'refuse' },
    order: { kind: 'serial' },
    start(context) {
      const federation = context.ref('federation');
      const target = createTarget(context, deliveries);
      const follower = createFollower({
        stream: federationStream,
        subscriber: name,
        target,
        clock: context.clock,
        log: silentLogger,
        figures: viewFigures(silentMetrics, 'federation'),
      });
      let heardAt = context.clock.monotonic();
      const connect = (): void => {
        heardAt = context.clock.monotonic();
        follower.disconnect();
        federation.tell('stream.subscribe', { subscriber: name, streams: ['federation'] });
      };
      const acknowledge = (): void => {
        const [epoch, position] = [target.epoch(), target.position()];
        federation.tell('stream.acknowledge', { subscriber: name, stream: 'federation', epoch, position });
        if (context.clock.monotonic() - heardAt > OWNER_SILENCE_MAX_MS) connect();
        timer = context.clock.after(ACKNOWLEDGE_INTERVAL_MS, acknowledge);
      };
      let timer = context.clock.after(ACKNOWLEDGE_INTERVAL_MS, acknowledge);
      context.ended.addEventListener('abort', () => {
        context.clock.cancel(timer);
        follower.close();
      });
      context.watch('federation', ({ event }) => (event === 'started' ? connect() : follower.disconnect()));
      return {
        handlers: {
          'stream.rows'(message) {
            heardAt = context.clock.monotonic();
            follower.receiveRows(message);
          },
          'stream.position'(message) {
            heardAt = context.clock.monotonic();
            follower.receivePosition(message);
          },
        },
      };
    },
  });
}
