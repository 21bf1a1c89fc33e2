import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findModeratedUser } from './moderated-user.ts';

/** Whether a user of this server is suspended. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/admin/suspend/{userId}',
  aliases: ['/_matrix/client/unstable/uk.timedout.msc4323/admin/suspend/{userId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/admin/suspend/{userId}',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ userId: Type.String() }),
  reply: Type.Object({ suspended: Type.Boolean() }),
  needs: ['config', 'db'],
  async handle({ params, caller, services }) {
    const { config, db } = services;
    const account = await findModeratedUser(db, config.server.name, caller, params.userId);
    return isRefusal(account) ? account : { suspended: account.suspendedTs !== null };
  },
});
