import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import { answerOr } from '../answer-or.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { Sent } from '../rooms/protocol.ts';
import { createTurnstile } from '../turnstile.ts';
import { type Completions, createCompletions } from './completions.ts';
import { createRemoteDesk, type RemoteDesk } from './desk.ts';
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

interface Joins {
  /** Joins of one room, one after the other: whoever comes second finds this server in the room and needs nobody's help. */
  join(join: Join): Promise<Sent | Refusal>;
  /** Resolves when none of a room is under way, and this thread sees what came of it. True when one was. */
  settled(roomId: string): Promise<boolean>;
}

function createJoins(context: TroupeContext, desk: RemoteDesk, completions: Completions): Joins {
  const turnstile = createTurnstile(JOINS_AT_ONCE_MAX, JOINS_WAITING_MAX);
  const underWay = new Map<string, Promise<Sent | Refusal>>();
  const last = new Map<string, Promise<Sent | Refusal>>();

  async function joinAfter(before: Promise<unknown> | undefined, wish: Join): Promise<Sent | Refusal> {
    if (before !== undefined) {
      await before;
      const { roomId, userId, content } = wish;
      const change = { roomId, sender: userId, target: userId, action: 'join', content } as const;
      const local = await answerOr(desk.rooms.ask('rooms.change-membership', change));
      if (!isRefusal(local) || !NEEDS_ANOTHER.has(local.errcode)) return local;
    }
    const joined = await turnstile.pass(() => joinElsewhere(desk, wish));
    return joined ?? refuse('M_LIMIT_EXCEEDED', 'Too many users are joining rooms: try again later.');
  }

  function join(wish: Join): Promise<Sent | Refusal> {
    const { roomId, userId } = wish;
    const name = `${roomId} ${userId}`;
    const same = underWay.get(name);
    if (same !== undefined) return same;
    const joined = joinAfter(last.get(roomId), wish).finally(() => {
      // Whatever became of the answer: the room may have been joined without its members.
      completions.look();
      underWay.delete(name);
      if (last.get(roomId) === joined) last.delete(roomId);
    });
    underWay.set(name, joined);
    last.set(roomId, joined);
    return joined;
  }

  return {
    join,
    async settled(roomId) {
      const joined = last.get(roomId);
      if (joined === undefined) return false;
      const outcome = await joined;
      if (!isRefusal(outcome)) await context.env.streams?.reached('events', outcome.position);
      return true;
    },
  };
}

/**
 * Changes memberships that need another server: of local users in rooms elsewhere, and of users elsewhere in rooms here. Of rooms that were joined without
 * their members it brings those.
 */
export const remoteRoomsActor = defineActor<RemoteRoomsProtocol>({
  name: 'remote-rooms',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  start(context) {
    const desk = createRemoteDesk(context);
    const completions = createCompletions(context, desk);
    const joins = createJoins(context, desk, completions);
    return {
      handlers: {
        'remote-rooms.join': (input) => joins.join(input),
        'remote-rooms.await-joined': async ({ roomId }) => ({
          kind: 'settled',
          hasWaited: await joins.settled(roomId),
        }),
        'remote-rooms.knock': (input) => knockElsewhere(desk, input),
        'remote-rooms.leave': (input) => leaveElsewhere(desk, input),
        'remote-rooms.invite': (input) => inviteElsewhere(desk, input),
        'remote-rooms.receive-invite': (input) => receiveInvite(desk, input),
        'remote-rooms.exchange-invite': (input) => exchangeInvite(desk, input),
        'remote-rooms.read-partial-rooms': () => completions.states(),
        'remote-rooms.retry-partial-room': ({ roomId }) => ({
          kind: 'retried',
          isKnown: completions.retry(roomId),
        }),
      },
      stop: () => completions.stop(),
    };
  },
});
