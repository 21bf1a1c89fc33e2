import type { Caches } from '../src/streams/cache.ts';
import type { TroupeContext } from './environment.ts';

/**
 * The caches of the actor's thread.
 *
 * @throws when the thread has none: an actor that reads through caches is placed on a thread with a `views@…` actor
 */
export function cached(context: TroupeContext): Caches {
  const { caches } = context.env;
  if (caches === null)
    throw new Error(`${context.name} needs caches and lives on ${context.thread}, which has none`);
  return caches;
}
