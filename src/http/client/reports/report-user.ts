import { Type } from 'typebox';
import { findAccount } from '../../../../db/accounts/reader.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';

/**
 * Tells the administrators of a user, of this server or another. Whether a user of this server exists is told to nobody: the answer is the
 * same.
 */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/users/{userId}/report',
  aliases: ['/_matrix/client/unstable/org.matrix.msc4260/users/{userId}/report'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/users/{userId}/report',
  auth: 'user',
  rateLimit: 'membership',
  params: Type.Object({ userId: Type.String() }),
  body: Type.Object({ reason: Type.String() }),
  reply: NOTHING,
  needs: ['config', 'db', 'reports'],
  async handle({ params, body, caller, services }) {
    const { config, db, reports } = services;
    const userId = parseUserId(params.userId);
    if (userId === undefined) return refuse('M_INVALID_PARAM', 'This is no user id.');
    if (isOfServer(userId, config.server.name) && (await findAccount(db, userId)) === undefined) return {};
    const report = {
      reporter: caller.userId,
      subject: { kind: 'user', userId },
      reason: body.reason,
    } as const;
    const stored = await reports.ask('reports.store', report);
    return isRefusal(stored) ? stored : {};
  },
});
