import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { findRule } from './find-rule.ts';

/** Deletes a push rule of the caller's own. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  aliases: ['/_matrix/client/r0/pushrules/global/{kind}/{ruleId}'],
  spec: 'Client-Server API v1.19, DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: Type.Object({ kind: Type.String(), ruleId: Type.String() }),
  reply: NOTHING,
  needs: ['cached', 'push-rules', 'streams'],
  async handle({ params, caller, services }) {
    const { userId } = caller;
    const found = await findRule(services, userId, params.kind, params.ruleId);
    if (isRefusal(found)) return found;
    const stored = await services['push-rules'].ask('push-rules.delete-rule', {
      userId,
      kind: found.kind,
      ruleId: params.ruleId,
    });
    if (isRefusal(stored)) return stored;
    await services.streams.reached('push-rules', stored.position);
    return {};
  },
});
