import { pushRulesCache } from '../../../sync/caches/push-rules.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** The caller's push rules of the one scope that there is. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/pushrules/global/',
  aliases: [
    '/_matrix/client/r0/pushrules/global/',
    '/_matrix/client/v3/pushrules/global',
    '/_matrix/client/r0/pushrules/global',
  ],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/pushrules/global/',
  auth: 'user',
  rateLimit: null,
  reply: ANY_OBJECT,
  needs: ['cached'],
  async handle({ caller, services }) {
    const { rules } = await services.cached.get(pushRulesCache, caller.userId);
    return new JsonText(JSON.stringify(rules));
  },
});
