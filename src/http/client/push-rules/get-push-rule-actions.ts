import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findRule } from './find-rule.ts';

/** Of a push rule of the caller: what it does. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions',
  aliases: ['/_matrix/client/r0/pushrules/global/{kind}/{ruleId}/actions'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({ kind: Type.String(), ruleId: Type.String() }),
  reply: Type.Object({ actions: Type.Array(Type.Unknown()) }),
  needs: ['cached'],
  async handle({ params, caller, services }) {
    const found = await findRule(services, caller.userId, params.kind, params.ruleId);
    if (isRefusal(found)) return found;
    return { actions: [...found.rule.actions] };
  },
});
