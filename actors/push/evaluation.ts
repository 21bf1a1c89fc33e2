import type { NotificationWrite, OwnEvent } from '../../db/push/writer.ts';
import { findUserNid, type PushEvent, readPushEvents } from '../../db/push/event-reader.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import type { PushOutcome } from '../../src/matrix/push/evaluator.ts';
import { type Candidate, evaluateEvent, pushEventOf, senderOf } from '../../src/sync/push/evaluate-event.ts';
import type { PushServices } from '../../src/sync/push/event-facts.ts';

/** Events that are read and stored together: in a large room each is a row for every member, and other writes wait for them. */
export const EVENTS_PER_BATCH = 32;

/** Events after which other messages of the thread get their turn. */
const EVENTS_PER_TURN = 10;

/** What was found out about some events. */
export interface Evaluation {
  /** Up to where; as far as was asked for, or as one batch goes. */
  readonly to: number;
  readonly notifications: readonly NotificationWrite[];
  readonly ownEvents: readonly OwnEvent[];
  /** Those who are notified, and those who have sent something. */
  readonly userIds: ReadonlySet<string>;
  /** How many events were looked at. */
  readonly events: number;
}

export interface EvaluationServices extends PushServices {
  readonly serverName: string;
  /** Gives the event loop a turn. */
  readonly yieldTurn: () => Promise<void>;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** The text of actions; null for the plain notification. */
function textOfActions({ actions }: PushOutcome): string | null {
  return actions.length === 1 && actions[0] === 'notify' ? null : JSON.stringify(actions);
}

interface Collected {
  readonly notifications: NotificationWrite[];
  readonly ownEvents: Map<string, OwnEvent>;
  readonly userIds: Set<string>;
}

async function nidOf(services: PushServices, candidate: Candidate): Promise<number | null> {
  return candidate.userNid ?? (await findUserNid(services.db, candidate.userId));
}

async function collectEvent(
  services: EvaluationServices,
  stored: PushEvent,
  collected: Collected,
): Promise<void> {
  const isLocal = (userId: string): boolean => domainOf(userId) === services.serverName;
  const { place, roomNid } = stored;
  const event = pushEventOf(stored);
  const { threadId, notified } = await evaluateEvent(services, stored, event, isLocal);
  const byActions = new Map<string | null, { readonly isHighlight: boolean; readonly userNids: number[] }>();
  for (const { outcome, users } of notified) {
    const actions = textOfActions(outcome);
    const same = byActions.get(actions) ?? { isHighlight: outcome.highlight, userNids: [] };
    byActions.set(actions, same);
    for (const user of users) {
      const userNid = await nidOf(services, user);
      if (userNid === null) continue;
      same.userNids.push(userNid);
      collected.userIds.add(user.userId);
    }
  }
  const ts = services.now();
  for (const [actions, { isHighlight, userNids }] of byActions)
    if (userNids.length > 0)
      collected.notifications.push({ place, roomNid, threadId, isHighlight, actions, ts, userNids });
  const sender = senderOf(event);
  if (stored.isInTimeline === 0 || !isLocal(sender)) return;
  collected.ownEvents.set(`${roomNid} ${sender} ${threadId}`, { userId: sender, roomNid, threadId, place });
  collected.userIds.add(sender);
}

/**
 * Finds out whom events notify: those with `from < place <= to`, as many as one batch takes.
 *
 * @param services whose caches know of the events stream up to `to` at least
 */
export async function evaluateEvents(
  services: EvaluationServices,
  from: number,
  to: number,
): Promise<Evaluation> {
  const events = await readPushEvents(services.db, from, to, EVENTS_PER_BATCH);
  const collected: Collected = { notifications: [], ownEvents: new Map(), userIds: new Set() };
  for (const [index, event] of events.entries()) {
    await collectEvent(services, event, collected);
    if (index % EVENTS_PER_TURN === EVENTS_PER_TURN - 1) await services.yieldTurn();
  }
  const last = events[EVENTS_PER_BATCH - 1];
  return {
    to: last?.place ?? to,
    notifications: collected.notifications,
    ownEvents: [...collected.ownEvents.values()],
    userIds: collected.userIds,
    events: events.length,
  };
}
