import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { parseFreeUsername } from './username.ts';

/** Says whether a user name can be had. It is not reserved by asking. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/register/available',
  aliases: ['/_matrix/client/r0/register/available'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/register/available',
  auth: 'none',
  rateLimit: 'registration',
  query: Type.Object({ username: Type.String() }),
  reply: Type.Object({ available: Type.Boolean() }),
  needs: ['config', 'db'],
  async handle({ query, services }) {
    const free = await parseFreeUsername(services.db, query.username, services.config);
    return isRefusal(free) ? free : { available: true };
  },
});
