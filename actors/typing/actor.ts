import type { Timer } from '../../src/kit/clock.ts';
import { domainOf, isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import { typingStream } from '../../src/streams/typing-stream.ts';
import { cached } from '../cached.ts';
import { defineActor } from '../environment.ts';
import type { InputOf } from '../kit/protocol.ts';
import { ownMemoryStream } from '../stream-owner.ts';
import type { TypingProtocol } from './protocol.ts';
import { createTypists, type Typists } from './typists.ts';

type ReceiveRemote = InputOf<TypingProtocol, 'typing.receive-remote'>;

const MAILBOX_LIMIT = 10_000;
/** Messages of one room that are handled before others get their turn. */
const TURN_BUDGET = 16;
/** Nobody types longer than this without saying so again. */
export const TYPING_TIMEOUT_MS_MAX = 120_000;
/** How long a remote user types without word: Server-Server API v1.19, "Typing Notifications", leaves it to us. */
export const REMOTE_TYPING_TIMEOUT_MS = 60_000;
/** How long "nobody types" is remembered. Who comes back later learns that the room was forgotten, and takes it for the same. */
export const QUIET_ROOM_MS = 600_000;
/** Rooms of which it is remembered; beyond it the one that has been quiet for longest is forgotten at once. */
export const QUIET_ROOMS_MAX = 50_000;

/**
 * Owner of the typing stream: who types where, in memory only. A row holds everyone who types in a room, so that only its latest row
 * counts.
 */
export const typingActor = defineActor<TypingProtocol>({
  name: 'typing',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'drop-oldest' },
  // What is said of one room is done in the order in which it was said, though remote words wait for the room's servers.
  order: { kind: 'by-key', turnBudget: TURN_BUDGET, key: (_, input) => roomOf(input) },
  start(context) {
    const { owner, handlers } = ownMemoryStream(context, typingStream);
    const { clock, ended } = context;
    const { name: serverName } = context.env.config.server;
    const quiet = new Map<string, Timer>();

    function speakUp(roomId: string): void {
      const timer = quiet.get(roomId);
      if (timer !== undefined) clock.cancel(timer);
      quiet.delete(roomId);
    }

    function forget(roomId: string): void {
      speakUp(roomId);
      owner.forget(roomId);
    }

    function fallSilent(roomId: string): void {
      const [quietest] = quiet.keys();
      if (quietest !== undefined && quiet.size >= QUIET_ROOMS_MAX) forget(quietest);
      quiet.set(
        roomId,
        clock.after(QUIET_ROOM_MS, () => forget(roomId)),
      );
    }

    function tellOtherServers(roomId: string, userId: string, isTyping: boolean): void {
      context.ref('federation').tell('federation.queue-room-edu', {
        roomId,
        edu: {
          type: 'm.typing',
          content: { room_id: roomId, user_id: userId, typing: isTyping },
          key: `${roomId} ${userId}`,
        },
      });
    }

    const typists: Typists = createTypists(clock, {
      changed(roomId, userIds) {
        speakUp(roomId);
        owner.append({ roomId, userIds });
        if (userIds.length === 0) fallSilent(roomId);
      },
      timedOut(roomId, userId) {
        if (isOfServer(userId, serverName)) tellOtherServers(roomId, userId, false);
      },
    });

    async function receiveRemote({ origin, roomId, userId, isTyping }: ReceiveRemote): Promise<void> {
      if (domainOf(userId) !== origin || origin === serverName) return;
      const hosts = await cached(context).get(hostsInRoom, roomId);
      if (!hosts.includes(origin) || ended.aborted) return;
      if (isTyping) typists.begin(roomId, userId, REMOTE_TYPING_TIMEOUT_MS);
      else typists.end(roomId, userId);
    }

    ended.addEventListener('abort', () => {
      typists.close();
      for (const timer of quiet.values()) clock.cancel(timer);
    });

    return {
      handlers: {
        ...handlers,
        'typing.set-typing'({ roomId, userId, isTyping, timeoutMs }) {
          if (isTyping) typists.begin(roomId, userId, Math.min(timeoutMs, TYPING_TIMEOUT_MS_MAX));
          else typists.end(roomId, userId);
          tellOtherServers(roomId, userId, isTyping);
          return { epoch: owner.epoch, position: owner.currentToken() };
        },
        'typing.clear-user': ({ roomId, userId }) => typists.end(roomId, userId),
        'typing.receive-remote': receiveRemote,
        'typing.prune-room': ({ roomId }) => typists.endAll(roomId),
      },
    };
  },
});

/** The room that a message is about; null for those of the stream. */
function roomOf(input: object): string | null {
  return 'roomId' in input ? String(input.roomId) : null;
}
