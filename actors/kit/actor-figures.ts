import type { Counter, Histogram, Metrics, TextGauge } from '../../src/kit/metrics.ts';

/** The figures of one actor in the slab of its thread. */
export interface ActorFigures {
  /** Messages that were handled to their end. */
  readonly handled: Counter;
  /** Incarnations that ended in a crash. */
  readonly failed: Counter;
  /** Tells that made room for newer ones. */
  readonly dropped: Counter;
  /** From sending to beginning. */
  readonly waited: Histogram;
  readonly lastError: TextGauge;
  /** From beginning to answer. */
  message(name: string): Histogram;
}

/** Names of the figures of an actor start with this. */
export function actorFigurePrefix(actor: string): string {
  return `actor.${actor}.`;
}

/** Names of the handling times of its messages start with this. */
export function messageFigurePrefix(actor: string): string {
  return `${actorFigurePrefix(actor)}message.`;
}

export function createActorFigures(metrics: Metrics, actor: string): ActorFigures {
  const prefix = actorFigurePrefix(actor);
  const messagePrefix = messageFigurePrefix(actor);
  const messages = new Map<string, Histogram>();
  return {
    handled: metrics.counter(`${prefix}handled`),
    failed: metrics.counter(`${prefix}failed`),
    dropped: metrics.counter(`${prefix}dropped`),
    waited: metrics.histogram(`${prefix}waited`),
    lastError: metrics.text(`${prefix}last-error`),
    message(name) {
      let histogram = messages.get(name);
      if (histogram === undefined) {
        histogram = metrics.histogram(`${messagePrefix}${name}`);
        messages.set(name, histogram);
      }
      return histogram;
    },
  };
}
