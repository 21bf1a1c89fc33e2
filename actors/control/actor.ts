import { defineActor } from '../environment.ts';
import { startControlListener } from './listener.ts';
import type { ControlProtocol } from './protocol.ts';

/** Only its address is asked for. */
const MAILBOX_LIMIT = 100;

/**
 * Takes the commands of whoever may open the data folder (`troupe user create` and the like): on a socket in it, for a server that runs and for
 * one that was started only to carry a command out.
 */
export const controlActor = defineActor<ControlProtocol>({
  name: 'control',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  async start(context) {
    const listener = await startControlListener(context);
    context.ended.addEventListener('abort', () => listener?.close(), { once: true });
    return {
      handlers: {
        'control.read-address': () => (listener === null ? null : { path: listener.path }),
      },
      stop: () => listener?.close(),
    };
  },
});
