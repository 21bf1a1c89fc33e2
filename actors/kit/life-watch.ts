import type { ActorLifeEvent } from './ref.ts';

/** What this thread knows of the lives of all actors, and who wants to know. */
export interface LifeWatch {
  watch(actor: string, listener: (event: ActorLifeEvent) => void): () => void;
  /** Something became known. */
  tell(event: ActorLifeEvent): void;
}

/**
 * @param lives what is known already
 * @param soon runs a piece of work after the present one
 */
export function createLifeWatch(
  lives: readonly ActorLifeEvent[],
  soon: (action: () => void) => void,
): LifeWatch {
  const latest = new Map(lives.map((life) => [life.actor, life]));
  const listeners = new Map<string, Set<(event: ActorLifeEvent) => void>>();

  return {
    watch(actor, listener) {
      let ofActor = listeners.get(actor);
      if (ofActor === undefined) listeners.set(actor, (ofActor = new Set()));
      // One set entry per watch, also when the same function watches twice.
      const own = (event: ActorLifeEvent): void => listener(event);
      ofActor.add(own);
      const known = latest.get(actor);
      if (known?.event === 'started')
        soon(() => {
          // What has become known since then was told already.
          if (ofActor.has(own) && latest.get(actor) === known) own(known);
        });
      return () => void ofActor.delete(own);
    },
    tell(event) {
      latest.set(event.actor, event);
      for (const listener of listeners.get(event.actor) ?? []) listener(event);
    },
  };
}
