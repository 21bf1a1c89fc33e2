import { storeEvaluation } from '../../db/push/writer.ts';
import { standBack, type Timer } from '../../src/kit/clock.ts';
import type { PushRow } from '../../db/push/stream-reader.ts';
import { makeTurnTaker } from '../../src/sync/yield-turn.ts';
import { cached } from '../cached.ts';
import type { TroupeContext } from '../environment.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import { type Evaluation, type EvaluationServices, evaluateEvents } from './evaluation.ts';

/**
 * How long events wait to be evaluated together: every write of ours is one more fsync, for which other writes wait. Counts in sync are right
 * all the same, and a push takes longer than this.
 */
export const BATCH_DELAY_MS = 50;
/** When storage cannot be written, it is tried again after this. */
export const STORAGE_RETRY_MS = 1_000;

/** Evaluates events as they come. */
export interface EvaluationLoop {
  /** The events stream has come to a position. */
  advance(position: number): void;
}

interface Loop {
  readonly context: TroupeContext;
  readonly owner: DurableStreamOwner<PushRow>;
  readonly hasPushers: (userId: string) => boolean;
  readonly services: EvaluationServices;
  /** As it is stored. */
  stored: number;
  /** Up to here there is nothing but what is stored, and events that nobody is notified of. */
  looked: number;
  target: number;
  timer: Timer | null;
  isRunning: boolean;
}

/** True when it was stored, false when storage cannot be written now. */
async function store(loop: Loop, evaluation: Evaluation): Promise<boolean> {
  const { to, notifications, ownEvents } = evaluation;
  const userIds = [...evaluation.userIds].filter(loop.hasPushers);
  const outcome = await loop.owner.write({
    count: 1,
    steps: storeEvaluation({ from: loop.stored, to, notifications, ownEvents, userIds }),
    rows: () => [userIds.map((userId) => ({ userId }))],
  });
  // Nobody else moves the progress: whoever did has a life of this actor that should have ended.
  if (outcome.kind === 'refused') throw new Error(`events up to ${to}: ${outcome.refusal}`);
  if (outcome.kind === 'unavailable') return false;
  loop.stored = to;
  return true;
}

async function evaluateAll(loop: Loop): Promise<'done' | 'later'> {
  const { context, services } = loop;
  const { metrics, env } = context;
  while (loop.looked < loop.target && !context.ended.aborted) {
    const to = loop.target;
    // The caches of this thread know of these events only when its view does.
    if ((await env.streams?.reached('events', to)) === false) return 'later';
    const startedAt = context.clock.monotonic();
    const evaluation = await evaluateEvents(services, loop.looked, to);
    metrics.histogram('push.evaluation.ms').record(context.clock.monotonic() - startedAt);
    if (context.ended.aborted) return 'done';
    if (evaluation.events > 0 && !(await store(loop, evaluation))) return 'later';
    loop.looked = evaluation.to;
    metrics.counter('push.events').add(evaluation.events);
    // While others send, it stands back for them; what has piled up by then is worked off when they pause.
    const isBusy = loop.target > to;
    const rows = evaluation.notifications.reduce((sum, { userNids }) => sum + userNids.length, 0);
    metrics.counter('push.notifications').add(rows);
    if (isBusy) await standBack(context.clock, context.clock.monotonic() - startedAt);
  }
  return 'done';
}

async function run(loop: Loop): Promise<void> {
  const { context } = loop;
  loop.isRunning = true;
  try {
    const outcome = await evaluateAll(loop);
    loop.isRunning = false;
    if (outcome === 'later') schedule(loop, STORAGE_RETRY_MS);
    else if (loop.looked < loop.target) schedule(loop, BATCH_DELAY_MS);
  } catch (error) {
    if (!context.ended.aborted) context.crash(error);
  }
}

function schedule(loop: Loop, delayMs: number): void {
  const { context } = loop;
  if (loop.isRunning || loop.timer !== null || context.ended.aborted) return;
  loop.timer = context.clock.after(delayMs, () => {
    loop.timer = null;
    void run(loop);
  });
}

/**
 * Makes the loop of one life of the actor.
 *
 * @param start up to where events are evaluated, as it is stored
 * @param hasPushers whether a user's pushers have to be told
 */
export function createEvaluationLoop(
  context: TroupeContext,
  owner: DurableStreamOwner<PushRow>,
  start: number,
  hasPushers: (userId: string) => boolean,
): EvaluationLoop {
  const services: EvaluationServices = {
    db: context.env.db,
    cached: cached(context),
    serverName: context.env.config.server.name,
    yieldTurn: makeTurnTaker(),
    now: () => context.clock.now(),
  };
  const loop: Loop = {
    context,
    owner,
    hasPushers,
    services,
    stored: start,
    looked: start,
    target: start,
    timer: null,
    isRunning: false,
  };
  context.ended.addEventListener('abort', () => {
    if (loop.timer !== null) context.clock.cancel(loop.timer);
  });
  return {
    advance(position) {
      if (position <= loop.target) return;
      loop.target = position;
      schedule(loop, BATCH_DELAY_MS);
    },
  };
}
