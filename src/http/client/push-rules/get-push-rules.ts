import { Type } from 'typebox';
import { pushRulesCache } from '../../../sync/caches/push-rules.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** All push rules of the caller: the default ones as the caller has changed them, and the caller's own. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/pushrules/',
  aliases: ['/_matrix/client/r0/pushrules/', '/_matrix/client/v3/pushrules', '/_matrix/client/r0/pushrules'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/pushrules/',
  auth: 'user',
  rateLimit: null,
  reply: Type.Object({ global: ANY_OBJECT }),
  needs: ['cached'],
  async handle({ caller, services }) {
    return new JsonText((await services.cached.get(pushRulesCache, caller.userId)).text);
  },
});
