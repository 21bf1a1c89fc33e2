import { type DelayedEvent, findDelayedEvent } from '../../db/delayed-events/reader.ts';
import { cancelEvent, restartEvent } from '../../db/delayed-events/writer.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { Delivery, Occasion } from './deliver-event.ts';
import type { DelayedAction, DelayedEventsProtocol } from './protocol.ts';

type Managed = OutputOf<DelayedEventsProtocol, 'delayed-events.manage'>;

const DONE: Managed = { kind: 'done', position: null };
const NOT_FOUND = refuse('M_NOT_FOUND', 'There is no delayed event with this id.');

/** The answer to who comes too late: the same again does no harm, so that a request may be repeated. */
function answerFinalised(action: DelayedAction, { outcome }: DelayedEvent): Managed {
  const isSame = action === 'send' ? outcome === 'sent' : action === 'cancel' && outcome !== 'sent';
  if (isSame) return DONE;
  const what = outcome === 'sent' ? 'sent' : 'cancelled';
  return refuse('M_UNKNOWN', `The delayed event has been ${what} already.`, { status: 409 });
}

function answerSent(delivery: Delivery): Managed | undefined {
  if (delivery.kind === 'not-due') return undefined;
  return delivery.kind === 'sent' ? { kind: 'done', position: delivery.position } : delivery.refusal;
}

/** Cancels or restarts; undefined when it is not scheduled any more, or was sent and only the note is missing. */
async function change(
  context: TroupeContext,
  delayId: string,
  action: 'cancel' | 'restart',
): Promise<Managed | undefined> {
  const now = context.clock.now();
  const steps = action === 'cancel' ? cancelEvent(delayId, now) : restartEvent(delayId, now);
  const outcome = await commit(context, steps);
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') return undefined;
  context.metrics.counter(`delayed-events.${action === 'cancel' ? 'cancelled' : 'restarted'}`).add();
  return DONE;
}

/**
 * Sends, cancels or restarts a delayed event. Only one may be under way for one event. MSC4140, "Managing scheduled delayed events".
 *
 * @param deliver sends one
 */
export async function manageEvent(
  context: TroupeContext,
  { delayId, action }: InputOf<DelayedEventsProtocol, 'delayed-events.manage'>,
  deliver: (occasion: Occasion) => Promise<Delivery>,
): Promise<Managed> {
  const { db } = context.env;
  const event = await findDelayedEvent(db, delayId);
  if (event === undefined) return NOT_FOUND;
  if (event.dueTs === null) return answerFinalised(action, event);
  const answer =
    action === 'send' ? answerSent(await deliver('action')) : await change(context, delayId, action);
  if (answer !== undefined) return answer;
  const noted = await deliver('noted');
  if (noted.kind === 'later' || noted.kind === 'refused') return noted.refusal;
  const now = await findDelayedEvent(db, delayId);
  return now === undefined ? NOT_FOUND : answerFinalised(action, now);
}

/** Cancels a delayed event that somebody else has made pointless; false when storage cannot be written. */
export async function cancelSuperseded(context: TroupeContext, delayId: string): Promise<boolean> {
  const cancelled: Managed | Refusal | undefined = await change(context, delayId, 'cancel');
  return cancelled === undefined || cancelled.kind === 'done';
}
