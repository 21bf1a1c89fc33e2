import { readUsersWithPushers } from '../../db/push/pusher-reader.ts';
import type { PushRow } from '../../db/push/stream-reader.ts';
import type { ReceiptsRow } from '../../db/receipts/stream-reader.ts';
import type { Config } from '../../src/config/config.ts';
import type { Timer } from '../../src/kit/clock.ts';
import type { GatewayClient } from '../../src/push-gateway/gateway-client.ts';
import type { StreamPosition, StreamRows } from '../../src/streams/message.ts';
import { cached } from '../cached.ts';
import { defineActor } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';
import { followStream } from '../stream-follower.ts';
import type { DeliveryDesk } from './delivery.ts';
import type { PushSenderProtocol } from './protocol.ts';
import { createPusherWorkers } from './workers.ts';

const MAILBOX_LIMIT = 10_000;
/** How often pushers whose devices are gone are looked for, and those that were interrupted are taken up again. */
export const SWEEP_INTERVAL_MS = 10 * 60 * 1_000;

async function openGateways(allowPrivateAddresses: boolean): Promise<GatewayClient> {
  const [{ createGatewayClient }, { lookupBySystem }] = await Promise.all([
    import('../../src/push-gateway/gateway-client.ts'),
    import('../../src/http-client/guarded-connect.ts'),
  ]);
  return createGatewayClient({ allowPrivateAddresses, lookup: lookupBySystem });
}

/**
 * The HTTP client is loaded with the first notification: a server that has just started needs none. Another one takes its place when the
 * configuration says something else about addresses.
 */
function gatewaysWhenNeeded(config: Pick<Config, 'push'>): GatewayClient {
  let opened: { readonly allows: boolean; readonly client: Promise<GatewayClient> } | null = null;
  const close = async (): Promise<void> => (await opened?.client)?.close();
  return {
    async notify(url, body) {
      const { allowPrivateAddresses: allows } = config.push;
      if (opened?.allows !== allows) {
        const closing = close();
        opened = { allows, client: openGateways(allows) };
        await closing;
      }
      return (await opened.client).notify(url, body);
    },
    close,
  };
}

/**
 * Tells push gateways what users are notified of. Each pusher is at its own place, which is stored, and waits for nobody but its own gateway:
 * what a restart interrupts goes on after it, and is said twice at worst.
 */
export const pushSenderActor = defineActor<PushSenderProtocol>({
  name: 'push-sender',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  async start(context) {
    const { clock, env } = context;
    const { db, config } = env;
    const gateways = gatewaysWhenNeeded(config);
    const desk: DeliveryDesk = {
      context,
      services: { db, cached: cached(context) },
      gateways,
      eventsPosition: () => env.streams?.currentToken('events') ?? 0,
    };
    const users = await readUsersWithPushers(db);
    const workers = createPusherWorkers(desk);
    let sweep: Timer;

    async function wakeAll(): Promise<void> {
      for (const userId of users) await workers.wake(userId);
    }

    async function sweepAll(): Promise<void> {
      for (const userId of await readUsersWithPushers(db)) {
        users.add(userId);
        await context.ref('push').ask('push.sweep-pushers', { userId });
      }
      await wakeAll();
    }

    async function sweepRegularly(): Promise<void> {
      try {
        await sweepAll();
      } catch (error) {
        if (context.ended.aborted) return;
        // What does not answer now is swept the next time.
        if (!(error instanceof AskFailed)) context.crash(error);
      }
      if (!context.ended.aborted) sweep = clock.after(SWEEP_INTERVAL_MS, () => void sweepRegularly());
    }

    const followers = {
      push: followStream(context, { owner: 'push', stream: 'push', positionsOnly: false }),
      receipts: followStream(context, { owner: 'receipts', stream: 'receipts', positionsOnly: false }),
    };
    const followerOf = (stream: string) => (stream === 'push' ? followers.push : followers.receipts);

    async function hearRows({ stream, position, rows }: StreamRows): Promise<void> {
      followerOf(stream).hear();
      const named = rows.map(({ row }) => (row as PushRow | ReceiptsRow).userId);
      if (stream === 'push') for (const userId of named) users.add(userId);
      const woken = new Set(named.filter((userId) => users.has(userId)));
      if (woken.size === 0) return;
      // Counts that this thread holds know of it only when its view does.
      await env.streams?.reached(stream, position);
      for (const userId of woken) await workers.wake(userId);
    }

    async function hearPosition({ stream }: StreamPosition): Promise<void> {
      if (followerOf(stream).hear()) await wakeAll();
    }

    sweep = clock.after(SWEEP_INTERVAL_MS, () => void sweepRegularly());
    context.ended.addEventListener('abort', () => {
      clock.cancel(sweep);
      void gateways.close();
    });
    return {
      handlers: { 'stream.rows': hearRows, 'stream.position': hearPosition },
      stop() {
        followers.push.stop();
        followers.receipts.stop();
      },
    };
  },
});
