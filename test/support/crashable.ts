import type { AnyActorDefinition } from '../../actors/kit/actor.ts';
import type { Protocol } from '../../actors/kit/protocol.ts';
import type { Handlers } from '../../actors/kit/actor.ts';

/**
 * The same actor, but its next message throws once its flag is up.
 *
 * @param flags one int32 per name: shared with the thread of the test
 */
export function crashable<Map, Env>(
  definition: AnyActorDefinition<Map, Env>,
  flags: SharedArrayBuffer,
  names: readonly string[],
): AnyActorDefinition<Map, Env> {
  const flagOf = new Int32Array(flags);
  const index = names.indexOf(definition.name);
  return {
    ...definition,
    async start(context) {
      const instance = await definition.start(context);
      const handlers = new Proxy(instance.handlers as Handlers<Protocol>, {
        get(target, name, receiver) {
          if (Atomics.exchange(flagOf, index, 0) === 0) return Reflect.get(target, name, receiver) as unknown;
          return () => {
            throw new Error('crashed by the test');
          };
        },
      });
      return { handlers, stop: () => instance.stop?.() };
    },
  };
}
