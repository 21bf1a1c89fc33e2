import { Type } from 'typebox';
import { findAccount } from '../../../../db/accounts/reader.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/**
 * Whether a user of this server is an administrator. Clients ask it of their own user to know what to offer: the 403 is an answer to that.
 *
 * Refused with M_FORBIDDEN (not an administrator), M_INVALID_PARAM (no user of this server), M_NOT_FOUND (none of that name).
 */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_synapse/admin/v1/users/{userId}/admin',
  spec: 'User administration, as common administration tools use it',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ userId: Type.String() }),
  reply: Type.Object({ admin: Type.Boolean() }),
  needs: ['config', 'db'],
  async handle({ params, services }) {
    const userId = parseUserId(params.userId);
    if (userId === undefined || !isOfServer(userId, services.config.server.name))
      return refuse('M_INVALID_PARAM', 'This is not a user of this server.');
    const account = await findAccount(services.db, userId);
    if (account === undefined) return refuse('M_NOT_FOUND', 'There is no such user.');
    return { admin: account.isAdmin };
  },
});
