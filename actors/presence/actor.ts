import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { presenceStream } from '../../src/streams/presence-stream.ts';
import { defineActor } from '../environment.ts';
import { followStream } from '../stream-follower.ts';
import { ownMemoryStream } from '../stream-owner.ts';
import { createLocalPresence } from './local-presence.ts';
import { createNewcomers } from './newcomers.ts';
import type { PresenceProtocol } from './protocol.ts';
import { createRemotePresence } from './remote-presence.ts';

const MAILBOX_LIMIT = 10_000;
/** Messages of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;
/** Users whose last row is held; beyond it the one that changed longest ago counts as offline. */
export const PRESENCE_ROWS_MAX = 100_000;

/**
 * Owner of the presence stream: who is there, in memory only. Somebody without a sign of life is offline, whatever was stated, and
 * forgotten here; the last row stays and keeps the status message and when the user was last active. It follows the events stream to see
 * who comes into rooms; what it misses of that is told again within the half hour. Client-Server API v1.19, "Presence".
 */
export const presenceActor = defineActor<PresenceProtocol>({
  name: 'presence',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'drop-oldest' },
  // One user's changes in their order, though each looks up the user's rooms.
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key: (_, input) => ('userId' in input ? input.userId : null),
  },
  start(context) {
    const { owner, handlers } = ownMemoryStream(context, presenceStream, { rowsMax: PRESENCE_ROWS_MAX });
    const local = createLocalPresence(context, owner);
    const remote = createRemotePresence(context, owner);
    const noteNewcomers = createNewcomers(context, local, remote);
    const events = followStream(context, { owner: 'rooms', stream: 'events', positionsOnly: false });
    return {
      handlers: {
        ...handlers,
        'presence.set-presence': (statement) => local.set(statement),
        'presence.note-sync': (sync) => local.noteSync(sync),
        'presence.receive-remote': (said) => remote.receive(said),
        async 'stream.rows'({ rows }) {
          events.hear();
          for (const { row, position } of rows) {
            if (context.ended.aborted) return;
            await noteNewcomers(row as EventsRow, position);
          }
        },
        'stream.position': () => void events.hear(),
      },
      stop: () => events.stop(),
    };
  },
});
