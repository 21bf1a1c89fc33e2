import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { moderateUser } from './moderated-user.ts';

/** Has a user of this server locked, or not any more. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v1/admin/lock/{userId}',
  aliases: ['/_matrix/client/unstable/uk.timedout.msc4323/admin/lock/{userId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v1/admin/lock/{userId}',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ userId: Type.String() }),
  body: Type.Object({ locked: Type.Boolean() }),
  reply: Type.Object({ locked: Type.Boolean() }),
  needs: ['accounts', 'config', 'db', 'streams'],
  async handle({ params, body, caller, services }) {
    const done = await moderateUser(services, caller, params.userId, 'lock', body.locked);
    return isRefusal(done) ? done : { locked: body.locked };
  },
});
