import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { findRule } from './find-rule.ts';

/** Switches a push rule of the caller on or off. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled',
  aliases: ['/_matrix/client/r0/pushrules/global/{kind}/{ruleId}/enabled'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: Type.Object({ kind: Type.String(), ruleId: Type.String() }),
  body: Type.Object({ enabled: Type.Boolean() }),
  reply: NOTHING,
  needs: ['cached', 'push-rules', 'streams'],
  async handle({ params, body, caller, services }) {
    const { userId } = caller;
    const { ruleId } = params;
    const found = await findRule(services, userId, params.kind, ruleId);
    if (isRefusal(found)) return found;
    const { kind } = found;
    const stored = await services['push-rules'].ask('push-rules.set-enabled', {
      userId,
      kind,
      ruleId,
      enabled: body.enabled,
    });
    if (isRefusal(stored)) return stored;
    await services.streams.reached('push-rules', stored.position);
    return {};
  },
});
