import type { CachesRow } from '../../src/streams/caches-stream.ts';
import { defineActor } from '../environment.ts';
import { followStream } from '../stream-follower.ts';
import type { UserDirectoryProtocol } from './protocol.ts';
import { createUpkeep } from './upkeep.ts';

const MAILBOX_LIMIT = 10_000;
const EVENTS = 'events';

/**
 * Owner of the user directory: which users can be found by which words, and who is in a room that is open to everybody. It follows the events stream,
 * and what becomes of accounts; nobody waits for it.
 */
export const userDirectoryActor = defineActor<UserDirectoryProtocol>({
  name: 'user-directory',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'serial' },
  async start(context) {
    const upkeep = await createUpkeep(context);
    const events = followStream(context, { owner: 'rooms', stream: EVENTS, positionsOnly: true });
    const facts = followStream(context, { owner: 'caches', stream: 'caches', positionsOnly: false });
    let factsUpTo: number | null = null;
    return {
      handlers: {
        'stream.rows'({ stream, prev, position, rows }) {
          if (stream === EVENTS) {
            events.hear();
            upkeep.advance(position);
            return;
          }
          facts.hear();
          if (factsUpTo !== null && prev > factsUpTo) upkeep.lookAtAll();
          factsUpTo = position;
          for (const { row } of rows) upkeep.note((row as CachesRow).facts);
        },
        'stream.position'({ stream, position }) {
          if (stream === EVENTS) {
            events.hear();
            upkeep.advance(position);
            return;
          }
          facts.hear();
          if (factsUpTo !== position) upkeep.lookAtAll();
          factsUpTo = position;
        },
        'user-directory.read-state': () => upkeep.state(),
      },
      stop() {
        events.stop();
        facts.stop();
      },
    };
  },
});
