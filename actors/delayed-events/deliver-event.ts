import { findAccount } from '../../db/accounts/reader.ts';
import { type DelayedEvent, type DelayedReason, findDelayedEvent } from '../../db/delayed-events/reader.ts';
import { finaliseFailed, finaliseSent } from '../../db/delayed-events/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { USER_LOCKED, USER_SUSPENDED } from '../../src/matrix/account-refusals.ts';
import { DELAYED_TRANSACTION } from '../../src/matrix/events/delayed-event.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';
import type { Sent } from '../rooms/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';

/** How long a room may take for one event before its delayed event is tried again later, in milliseconds. */
export const SEND_DEADLINE_MS = 10_000;

/** What became of the attempt to send a delayed event. */
export type Delivery =
  | { readonly kind: 'sent'; readonly position: number }
  /** It is refused: it is finalised when its time had come, and stays scheduled otherwise. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** It stays scheduled, and may succeed soon: something does not answer, or storage cannot be written. */
  | { readonly kind: 'later'; readonly refusal: Refusal }
  /** It is not scheduled any more, or its time has not come after all. */
  | { readonly kind: 'not-due' };

/** Why a delayed event is sent. `noted`: it was sent in an earlier life, and only the note of that is missing. */
export type Occasion = DelayedReason | 'noted';

const NOT_DUE: Delivery = { kind: 'not-due' };
const USER_GONE = refuse('M_USER_DEACTIVATED', 'This account has been deactivated.');

/** An event is sent as its sender may send now, who may have been shut out since it was scheduled. */
async function findObstacle({ env }: TroupeContext, userId: string): Promise<Refusal | undefined> {
  const account = await findAccount(env.db, userId);
  if (account === undefined || account.deactivatedTs !== null) return USER_GONE;
  if (account.lockedTs !== null) return USER_LOCKED;
  return account.suspendedTs === null ? undefined : USER_SUSPENDED;
}

async function send(context: TroupeContext, event: DelayedEvent): Promise<Sent | Refusal> {
  const { roomId, userId: sender, type, stateKey, stickyMs, delayId } = event;
  const input = {
    roomId,
    sender,
    event: {
      type,
      ...(stateKey !== null && { stateKey }),
      content: JSON.parse(event.content) as JsonObject,
      ...(stickyMs !== null && { stickyDurationMs: stickyMs }),
    },
    // However often it is tried, it is the same event.
    transaction: { ...DELAYED_TRANSACTION, txnId: delayId },
    originServerTs: null,
  };
  try {
    return await context.ref('rooms').ask('rooms.send-event', input, { deadlineMs: SEND_DEADLINE_MS });
  } catch (error) {
    if (!(error instanceof AskFailed)) throw error;
    return refuse('M_UNKNOWN', `${error.message}: try again`, { status: 503 });
  }
}

/** The body of a refusal, as clients get it. */
function errorText({ errcode, error, extra }: Refusal): string {
  return JSON.stringify({ errcode, error, ...extra });
}

/** Storing what became of an event: undefined when that is done, a refusal when storage cannot be written. */
async function note(context: TroupeContext, steps: readonly WriteStep[]): Promise<Refusal | undefined> {
  const outcome = await commit(context, steps);
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') throw new Error(`this note has no guard, yet ${outcome.refusal}`);
  return undefined;
}

function reasonOf(occasion: Occasion, { dueTs }: DelayedEvent, now: number): DelayedReason {
  if (occasion !== 'noted') return occasion;
  return (dueTs ?? 0) <= now ? 'delay' : 'action';
}

/**
 * Sends a delayed event as its user, and notes what became of it. Only one attempt for one event may be under way. MSC4140.
 *
 * @param occasion `delay`: only if its time has come
 */
export async function deliverEvent(
  context: TroupeContext,
  delayId: string,
  occasion: Occasion,
): Promise<Delivery> {
  const { clock, env, metrics, log } = context;
  const event = await findDelayedEvent(env.db, delayId);
  if (event === undefined || event.dueTs === null) return NOT_DUE;
  if (occasion === 'delay' && event.dueTs > clock.now()) return NOT_DUE;
  const reason = reasonOf(occasion, event, clock.now());
  const obstacle = occasion === 'noted' ? undefined : await findObstacle(context, event.userId);
  const sent = obstacle ?? (await send(context, event));
  if (!isRefusal(sent)) {
    const refusal = await note(
      context,
      finaliseSent(delayId, clock.now(), { reason, eventId: sent.eventId }),
    );
    // The event is in its room; its note follows when it is due.
    if (refusal !== undefined && occasion !== 'action') return { kind: 'later', refusal };
    metrics.counter('delayed-events.sent').add();
    if (reason === 'delay') metrics.gauge('delayed-events.late-ms').set(clock.now() - event.dueTs);
    return { kind: 'sent', position: sent.position };
  }
  if (sent.status >= 500) return { kind: 'later', refusal: sent };
  if (reason === 'action') return { kind: 'refused', refusal: sent };
  const refusal = await note(context, finaliseFailed(delayId, clock.now(), errorText(sent)));
  if (refusal !== undefined) return { kind: 'later', refusal };
  metrics.counter('delayed-events.failed').add();
  log.info('a delayed event was refused', { roomId: event.roomId, errcode: sent.errcode });
  return { kind: 'refused', refusal: sent };
}
