import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { defineActor } from '../environment.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { Sent } from '../rooms/protocol.ts';
import { createTurnstile } from '../server-keys/turnstile.ts';
import { answerOr, createRemoteDesk, type RemoteDesk } from './desk.ts';
import { exchangeInvite, inviteElsewhere } from './invite.ts';
import { joinElsewhere } from './join.ts';
import { knockElsewhere } from './knock.ts';
import { leaveElsewhere } from './leave.ts';
import type { RemoteRoomsProtocol } from './protocol.ts';
import { receiveInvite } from './receive-invite.ts';

const MAILBOX_LIMIT = 10_000;
/** Joins under way at one moment: each may hold the whole state of a room in memory. */
export const JOINS_AT_ONCE_MAX = 8;
/** Joins that wait for those. */
export const JOINS_WAITING_MAX = 200;

type Join = InputOf<RemoteRoomsProtocol, 'remote-rooms.join'>;

/** What `rooms` says where another server is needed. */
const NEEDS_ANOTHER: ReadonlySet<string> = new Set([
  'M_NOT_FOUND',
  'M_UNABLE_TO_AUTHORISE_JOIN',
  'M_UNABLE_TO_GRANT_JOIN',
]);

/** Joins of one room, one after the other: whoever comes second finds this server in the room and needs nobody's help. */
function createJoins(desk: RemoteDesk): (join: Join) => Promise<Sent | Refusal> {
  const turnstile = createTurnstile(JOINS_AT_ONCE_MAX, JOINS_WAITING_MAX);
  const underWay = new Map<string, Promise<Sent | Refusal>>();
  const last = new Map<string, Promise<unknown>>();

  async function joinAfter(before: Promise<unknown> | undefined, join: Join): Promise<Sent | Refusal> {
    if (before !== undefined) {
      await before;
      const { roomId, userId, content } = join;
      const change = { roomId, sender: userId, target: userId, action: 'join', content } as const;
      const local = await answerOr(desk.rooms.ask('rooms.change-membership', change));
      if (!isRefusal(local) || !NEEDS_ANOTHER.has(local.errcode)) return local;
    }
    const joined = await turnstile.pass(() => joinElsewhere(desk, join));
    return joined ?? refuse('M_LIMIT_EXCEEDED', 'Too many users are joining rooms: try again later.');
  }

  return (join) => {
    const { roomId, userId } = join;
    const name = `${roomId} ${userId}`;
    const same = underWay.get(name);
    if (same !== undefined) return same;
    const joined = joinAfter(last.get(roomId), join).finally(() => {
      underWay.delete(name);
      if (last.get(roomId) === joined) last.delete(roomId);
    });
    underWay.set(name, joined);
    last.set(roomId, joined);
    return joined;
  };
}

/** Changes memberships that need another server: of local users in rooms elsewhere, and of users elsewhere in rooms here. */
export const remoteRoomsActor = defineActor<RemoteRoomsProtocol>({
  name: 'remote-rooms',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  start(context) {
    const desk = createRemoteDesk(context);
    return {
      handlers: {
        'remote-rooms.join': createJoins(desk),
        'remote-rooms.knock': (input) => knockElsewhere(desk, input),
        'remote-rooms.leave': (input) => leaveElsewhere(desk, input),
        'remote-rooms.invite': (input) => inviteElsewhere(desk, input),
        'remote-rooms.receive-invite': (input) => receiveInvite(desk, input),
        'remote-rooms.exchange-invite': (input) => exchangeInvite(desk, input),
      },
    };
  },
});
