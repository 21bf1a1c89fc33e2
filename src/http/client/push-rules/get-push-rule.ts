import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { findRule } from './find-rule.ts';

/** One push rule of the caller. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  aliases: ['/_matrix/client/r0/pushrules/global/{kind}/{ruleId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({ kind: Type.String(), ruleId: Type.String() }),
  reply: ANY_OBJECT,
  needs: ['cached'],
  async handle({ params, caller, services }) {
    const found = await findRule(services, caller.userId, params.kind, params.ruleId);
    return isRefusal(found) ? found : { ...found.rule };
  },
});
