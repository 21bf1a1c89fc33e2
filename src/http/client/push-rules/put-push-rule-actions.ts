import { Type } from 'typebox';
import type { Json } from '../../../kit/json.ts';
import { checkActions } from '../../../matrix/push/own-rule.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT, NOTHING } from '../rooms/room-params.ts';
import { findRule } from './find-rule.ts';

/** Changes what a push rule of the caller does. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions',
  aliases: ['/_matrix/client/r0/pushrules/global/{kind}/{ruleId}/actions'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: Type.Object({ kind: Type.String(), ruleId: Type.String() }),
  body: Type.Object({ actions: Type.Array(Type.Union([Type.String(), ANY_OBJECT])) }),
  reply: NOTHING,
  needs: ['cached', 'push-rules', 'streams'],
  async handle({ params, body, caller, services }) {
    const { userId } = caller;
    const { ruleId } = params;
    const found = await findRule(services, userId, params.kind, ruleId);
    if (isRefusal(found)) return found;
    const wrong = checkActions(body.actions as readonly Json[]);
    if (wrong !== undefined) return wrong;
    const { kind } = found;
    const stored = await services['push-rules'].ask('push-rules.set-actions', {
      userId,
      kind,
      ruleId,
      actions: body.actions as readonly Json[],
    });
    if (isRefusal(stored)) return stored;
    await services.streams.reached('push-rules', stored.position);
    return {};
  },
});
