import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { moderateUser } from './moderated-user.ts';

/** Has a user of this server suspended, or not any more. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v1/admin/suspend/{userId}',
  aliases: ['/_matrix/client/unstable/uk.timedout.msc4323/admin/suspend/{userId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v1/admin/suspend/{userId}',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ userId: Type.String() }),
  body: Type.Object({ suspended: Type.Boolean() }),
  reply: Type.Object({ suspended: Type.Boolean() }),
  needs: ['accounts', 'config', 'db', 'streams'],
  async handle({ params, body, caller, services }) {
    const done = await moderateUser(services, caller, params.userId, 'suspend', body.suspended);
    return isRefusal(done) ? done : { suspended: body.suspended };
  },
});
