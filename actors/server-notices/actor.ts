import { findNoticeRoom } from '../../db/rooms/notice-room-reader.ts';
import { noticesUserOf } from '../../src/config/notices-user.ts';
import { isRefusal, refuse } from '../../src/matrix/refusal.ts';
import { defineActor } from '../environment.ts';
import { createSpeaker } from './speaker.ts';
import { inviteAgain, makeNoticeRoom } from './notice-room.ts';
import type { ServerNoticesProtocol } from './protocol.ts';

const MAILBOX_LIMIT = 10_000;
/** Notices to one user that are sent before others get theirs. */
const TURN_BUDGET = 16;

/**
 * The server's own voice: keeps no state but the room that each user has for it, which is a room like any other. One user's notices are sent one
 * after the other, so that the first two do not make two rooms. Client-Server API v1.19, "Server Notices".
 */
export const serverNoticesActor = defineActor<ServerNoticesProtocol>({
  name: 'server-notices',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'by-key', turnBudget: TURN_BUDGET, key: (_, { userId }) => userId },
  start(context) {
    const { db, config } = context.env;
    const noticesUserId = noticesUserOf(config);
    const speaker = createSpeaker(context);

    async function findRoom(noticesUser: string, userId: string) {
      const known = await findNoticeRoom(db, userId, noticesUser);
      if (known === undefined) return makeNoticeRoom(context, noticesUser, userId);
      if (known.membership !== 'leave') return known.roomId;
      const invited = await inviteAgain(context, noticesUser, userId, known.roomId);
      return isRefusal(invited) ? invited : known.roomId;
    }

    return {
      handlers: {
        async 'server-notices.send'({ userId, event, transaction }) {
          if (noticesUserId === null) return refuse('M_UNKNOWN', 'This server sends no notices.');
          const obstacle = await speaker.prepare(noticesUserId);
          if (obstacle !== undefined) return obstacle;
          const roomId = await findRoom(noticesUserId, userId);
          if (isRefusal(roomId)) return roomId;
          const sender = noticesUserId;
          const notice = { roomId, sender, event, transaction, originServerTs: null };
          return context.ref('rooms').ask('rooms.send-event', notice);
        },
      },
    };
  },
});
