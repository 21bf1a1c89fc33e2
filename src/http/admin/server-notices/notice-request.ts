import { Type } from 'typebox';
import type { ClientTransaction } from '../../../../actors/rooms/protocol.ts';
import { findAccount } from '../../../../db/accounts/reader.ts';
import { noticesUserOf } from '../../../config/notices-user.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { ANY_OBJECT } from '../../client/rooms/room-params.ts';
import type { Services } from '../../kit/services.ts';

/** The body that sends a notice: an event, a message when no type is given. */
export const NOTICE_BODY = Type.Object({
  user_id: Type.String(),
  content: ANY_OBJECT,
  type: Type.Optional(Type.String()),
  state_key: Type.Optional(Type.String()),
});

interface NoticeBody {
  readonly user_id: string;
  readonly content: unknown;
  readonly type?: string;
  readonly state_key?: string;
}

/**
 * Sends a notice to one user of this server, and waits until this thread has seen it. Client-Server API v1.19, "Server Notices".
 *
 * @returns refused with M_UNKNOWN when notices are off or the user is of another server, M_NOT_FOUND when there is no such user (any more)
 */
export async function sendNotice(
  services: Pick<Services, 'config' | 'db' | 'server-notices' | 'streams'>,
  body: NoticeBody,
  transaction: ClientTransaction | null,
): Promise<{ readonly event_id: string } | Refusal> {
  const { config, db } = services;
  const { user_id: userId, type = 'm.room.message', state_key: stateKey, content } = body;
  const noticesUserId = noticesUserOf(config);
  if (noticesUserId === null) return refuse('M_UNKNOWN', 'Server notices are switched off on this server.');
  if (!isOfServer(userId, config.server.name) || userId === noticesUserId)
    return refuse('M_UNKNOWN', 'Server notices go to users of this server only.');
  const account = await findAccount(db, userId);
  if (account === undefined || account.deactivatedTs !== null)
    return refuse('M_NOT_FOUND', 'There is no such user.');
  const event = { type, content: content as JsonObject, ...(stateKey !== undefined && { stateKey }) };
  const sent = await services['server-notices'].ask('server-notices.send', { userId, event, transaction });
  if (isRefusal(sent)) return sent;
  await services.streams.reached('events', sent.position);
  return { event_id: sent.eventId };
}
