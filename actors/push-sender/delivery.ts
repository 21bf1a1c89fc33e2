import { findNextNotification, type StoredNotification } from '../../db/push/notification-reader.ts';
import { findPusher, type PusherKey, type StoredPusher } from '../../db/push/pusher-reader.ts';
import { type BackoffPolicy, backoffMs } from '../../src/kit/backoff.ts';
import { sleep } from '../../src/kit/clock.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import type { GatewayClient } from '../../src/push-gateway/gateway-client.ts';
import { badgeBody, eventBody } from '../../src/push-gateway/notification-body.ts';
import { clientEventsCache } from '../../src/sync/caches/client-events.ts';
import { countBadge } from '../../src/sync/push/badge.ts';
import type { PushServices } from '../../src/sync/push/event-facts.ts';
import { loadReadMarks } from '../../src/sync/push/read-marks.ts';
import type { TroupeContext } from '../environment.ts';

/** Waits between tries to reach a gateway. */
export const GATEWAY_BACKOFF: BackoffPolicy = { initialMs: 1_000, factor: 2, maxMs: 30 * 60 * 1_000 };
/** What a gateway was not told by then, it is not told any more. */
export const PUSH_AGE_MAX_MS = 24 * 60 * 60 * 1_000;

/** What delivering needs. */
export interface DeliveryDesk {
  readonly context: TroupeContext;
  readonly services: PushServices;
  readonly gateways: GatewayClient;
  /** Up to where events count, on the events stream. */
  eventsPosition(): number;
}

type Sent = 'taken' | 'rejected' | 'failed';

async function send(desk: DeliveryDesk, pusher: StoredPusher, body: JsonObject): Promise<Sent> {
  const { metrics, log } = desk.context;
  const { url } = JSON.parse(pusher.data) as { readonly url: string };
  const answer = await desk.gateways.notify(url, body);
  if (answer.kind === 'failed') {
    metrics.counter('push-sender.failed').add();
    log.debug('a push gateway did not take a push', { appId: pusher.appId, reason: answer.reason });
    return 'failed';
  }
  const isRejected = answer.rejected.includes(pusher.pushkey);
  metrics.counter(isRejected ? 'push-sender.rejected' : 'push-sender.sent').add();
  return isRejected ? 'rejected' : 'taken';
}

/** Nothing is lost when this cannot be stored: the gateway is told once more, later. */
async function record(
  desk: DeliveryDesk,
  pusher: StoredPusher,
  change: Partial<StoredPusher>,
): Promise<void> {
  const { userId, appId, pushkey, place, badge, reachedTs, failingSinceTs } = { ...pusher, ...change };
  const delivery = { userId, appId, pushkey, place, badge, reachedTs, failingSinceTs };
  const stored = await desk.context.ref('push').ask('push.record-delivery', delivery);
  if (isRefusal(stored)) desk.context.log.warn('the state of a pusher could not be stored', { appId });
}

async function hasRead(desk: DeliveryDesk, userId: string, next: StoredNotification): Promise<boolean> {
  const marks = await loadReadMarks(desk.services.db, next.roomId, userId, 0);
  return next.place <= marks.upTo(next.threadId);
}

/** What is to be sent about a notification; null when it is too late for it. */
async function bodyOf(
  desk: DeliveryDesk,
  pusher: StoredPusher,
  notification: StoredNotification,
  unread: number,
): Promise<JsonObject | null> {
  const { context, services } = desk;
  if (notification.ts < context.clock.now() - PUSH_AGE_MAX_MS) {
    context.metrics.counter('push-sender.given-up').add();
    return null;
  }
  const event = await services.cached.get(clientEventsCache, notification.eventId);
  if (event === null || event.redactedBy !== null) return null;
  if (await hasRead(desk, pusher.userId, notification)) return null;
  return eventBody(services, pusher, { notification, event, unread });
}

/** One step of a pusher. `again`: there may be more; `waiting`: its gateway did not answer. */
async function deliverNext(desk: DeliveryDesk, pusher: StoredPusher): Promise<'again' | 'done' | 'waiting'> {
  const { context, services } = desk;
  const { userId, appId, pushkey } = pusher;
  const next = await findNextNotification(services.db, userId, pusher.place);
  const unread = await countBadge(services, userId, desk.eventsPosition());
  const isBadgeOnly = next === undefined;
  // Whoever was never told a number needs no other; a greater one comes with its event.
  if (isBadgeOnly && (pusher.badge === null || unread >= pusher.badge)) return 'done';
  const place = next?.place ?? pusher.place;
  const body = isBadgeOnly ? badgeBody(pusher, unread) : await bodyOf(desk, pusher, next, unread);
  if (body === null) {
    await record(desk, pusher, { place });
    return 'again';
  }
  const sent = await send(desk, pusher, body);
  if (context.ended.aborted) return 'done';
  const now = context.clock.now();
  if (sent === 'failed') {
    if (pusher.failingSinceTs === null) await record(desk, pusher, { failingSinceTs: now });
    return 'waiting';
  }
  if (sent === 'rejected') {
    await context.ref('push').ask('push.delete-pusher', { userId, appId, pushkey });
    return 'done';
  }
  await record(desk, pusher, { place, badge: unread, reachedTs: now, failingSinceTs: null });
  return 'again';
}

/** Tells a pusher's gateway all that it does not know yet, one thing after the other. Ends when there is nothing more. */
export async function deliverAll(desk: DeliveryDesk, key: PusherKey): Promise<void> {
  const { context, services } = desk;
  for (let failures = 0; !context.ended.aborted;) {
    const pusher = await findPusher(services.db, key);
    if (pusher === undefined || pusher.isEnabled === 0) return;
    const step = await deliverNext(desk, pusher);
    if (step === 'done') return;
    if (step === 'again') failures = 0;
    else {
      failures += 1;
      await sleep(context.clock, Math.ceil(backoffMs(GATEWAY_BACKOFF, failures, context.random)));
    }
  }
}
