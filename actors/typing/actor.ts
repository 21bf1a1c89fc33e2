import type { Timer } from '../../src/kit/clock.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import { typingStream } from '../../src/streams/typing-stream.ts';
import { cached } from '../cached.ts';
import { defineActor } from '../environment.ts';
import type { InputOf } from '../kit/protocol.ts';
import { ownMemoryStream } from '../stream-owner.ts';
import type { TypingProtocol } from './protocol.ts';

type SetTyping = InputOf<TypingProtocol, 'typing.set-typing'>;
type ReceiveRemote = InputOf<TypingProtocol, 'typing.receive-remote'>;

const MAILBOX_LIMIT = 10_000;
/** Nobody types longer than this without saying so again. */
export const TYPING_TIMEOUT_MS_MAX = 120_000;
/** How long a remote user types without word: Server-Server API v1.19, "Typing Notifications", leaves it to us. */
export const REMOTE_TYPING_TIMEOUT_MS = 60_000;
/** Users shown as typing in one room; further ones are not shown until one stops. */
export const TYPING_USERS_MAX = 100;
/** How long "nobody types" is remembered: by then every subscriber has seen it or starts afresh. */
export const QUIET_ROOM_MS = 600_000;

interface TypingRoom {
  /** User id → the timer that ends the typing. */
  readonly users: Map<string, Timer>;
  /** Set while nobody types: when to forget the room. */
  forget: Timer | null;
}

/**
 * Owner of the typing stream: who types where, in memory only. A row holds everyone who types in a room, so that only its latest row
 * counts.
 */
export const typingActor = defineActor<TypingProtocol>({
  name: 'typing',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'drop-oldest' },
  order: { kind: 'interleaved' },
  start(context) {
    const { owner, handlers } = ownMemoryStream(context, typingStream);
    const { clock } = context;
    const rooms = new Map<string, TypingRoom>();

    function publish(roomId: string, room: TypingRoom): void {
      if (room.forget !== null) clock.cancel(room.forget);
      room.forget = room.users.size > 0 ? null : clock.after(QUIET_ROOM_MS, () => pruneRoom(roomId));
      owner.append({ roomId, userIds: [...room.users.keys()] });
    }

    function pruneRoom(roomId: string): void {
      const room = rooms.get(roomId);
      if (room === undefined) return;
      for (const timer of room.users.values()) clock.cancel(timer);
      if (room.forget !== null) clock.cancel(room.forget);
      rooms.delete(roomId);
      owner.forget(roomId);
    }

    function stop(roomId: string, userId: string): void {
      const room = rooms.get(roomId);
      const timer = room?.users.get(userId);
      if (room === undefined || timer === undefined) return;
      clock.cancel(timer);
      room.users.delete(userId);
      publish(roomId, room);
    }

    function begin(roomId: string, userId: string, timeoutMs: number): void {
      const room = rooms.get(roomId) ?? { users: new Map<string, Timer>(), forget: null };
      rooms.set(roomId, room);
      const running = room.users.get(userId);
      if (running === undefined && room.users.size >= TYPING_USERS_MAX) return;
      if (running !== undefined) clock.cancel(running);
      const length = Math.min(Math.max(timeoutMs, 1), TYPING_TIMEOUT_MS_MAX);
      room.users.set(
        userId,
        clock.after(length, () => stop(roomId, userId)),
      );
      if (running === undefined) publish(roomId, room);
    }

    function tellOtherServers({ roomId, userId, isTyping }: SetTyping): void {
      context.ref('federation').tell('federation.queue-room-edu', {
        roomId,
        edu: {
          type: 'm.typing',
          content: { room_id: roomId, user_id: userId, typing: isTyping },
          key: `${roomId} ${userId}`,
        },
      });
    }

    async function receiveRemote({ origin, roomId, userId, isTyping }: ReceiveRemote): Promise<void> {
      if (domainOf(userId) !== origin) return;
      const hosts = await cached(context).get(hostsInRoom, roomId);
      if (!hosts.includes(origin)) return;
      if (isTyping) begin(roomId, userId, REMOTE_TYPING_TIMEOUT_MS);
      else stop(roomId, userId);
    }

    context.ended.addEventListener('abort', () => {
      for (const roomId of rooms.keys()) pruneRoom(roomId);
    });

    return {
      handlers: {
        ...handlers,
        'typing.set-typing'(input) {
          const { roomId, userId, isTyping, timeoutMs } = input;
          if (isTyping) begin(roomId, userId, timeoutMs);
          else stop(roomId, userId);
          tellOtherServers(input);
          return { epoch: owner.epoch, position: owner.currentToken() };
        },
        'typing.clear-user': ({ roomId, userId }) => stop(roomId, userId),
        'typing.receive-remote': receiveRemote,
        'typing.prune-room': ({ roomId }) => pruneRoom(roomId),
      },
    };
  },
});
