import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { PUSH_RULE_KINDS } from '../../../matrix/push/default-rules.ts';
import { parseOwnRule } from '../../../matrix/push/own-rule.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT, NOTHING } from '../rooms/room-params.ts';

/** Adds a push rule of the caller's own, or changes one. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  aliases: ['/_matrix/client/r0/pushrules/global/{kind}/{ruleId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: Type.Object({ kind: Type.String(), ruleId: Type.String() }),
  query: Type.Object({ before: Type.Optional(Type.String()), after: Type.Optional(Type.String()) }),
  body: ANY_OBJECT,
  reply: NOTHING,
  needs: ['push-rules', 'streams'],
  async handle({ params, query, body, caller, services }) {
    const kind = PUSH_RULE_KINDS.find((one) => one === params.kind);
    if (kind === undefined)
      return refuse('M_INVALID_PARAM', 'The path names a kind of push rules that there is not.');
    const rule = parseOwnRule(kind, params.ruleId, body as JsonObject);
    if (isRefusal(rule)) return rule;
    const stored = await services['push-rules'].ask('push-rules.put-rule', {
      userId: caller.userId,
      kind,
      ruleId: params.ruleId,
      rule,
      before: query.before ?? null,
      after: query.after ?? null,
    });
    if (isRefusal(stored)) return stored;
    await services.streams.reached('push-rules', stored.position);
    return {};
  },
});
