import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { answerSync } from '../../../sync/answer-sync.ts';
import type { StateForm } from '../../../sync/sync-context.ts';
import { parseToken } from '../../../streams/token.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findSyncFilter } from '../filters/find-sync-filter.ts';
import { PRESENCE, presenceOf } from '../presence/presence-values.ts';

const UNSTABLE_STATE_AFTER = 'org.matrix.msc4222.use_state_after';

/** The client asks in stable or in unstable words, and is answered in the same. */
function stateFormOf(query: {
  readonly use_state_after?: boolean;
  readonly [UNSTABLE_STATE_AFTER]?: boolean;
}): StateForm {
  if (query.use_state_after === true) return 'state_after';
  return query[UNSTABLE_STATE_AFTER] === true ? 'org.matrix.msc4222.state_after' : 'state';
}

/** What happened since the client asked for the last time; waits when nothing did. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/sync',
  aliases: ['/_matrix/client/r0/sync'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/sync',
  auth: 'user',
  allows: ['guest'],
  rateLimit: null,
  query: Type.Object({
    filter: Type.Optional(Type.String()),
    since: Type.Optional(Type.String()),
    full_state: Type.Optional(Type.Boolean()),
    set_presence: Type.Optional(PRESENCE),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
    use_state_after: Type.Optional(Type.Boolean()),
    [UNSTABLE_STATE_AFTER]: Type.Optional(Type.Boolean()),
  }),
  reply: Type.Object({ next_batch: Type.String() }),
  needs: ['db', 'cached', 'streams', 'clock', 'presence', 'to-device'],
  async handle({ query, caller, services, aborted }) {
    // Some clients say "from the beginning" with an empty text.
    const since = query.since === undefined || query.since === '' ? null : parseToken(query.since);
    if (since !== null && isRefusal(since)) return since;
    const filter = await findSyncFilter(services, caller.userId, query.filter);
    if (isRefusal(filter)) return filter;
    const { userId, deviceId } = caller;
    const answer = await answerSync(services, {
      caller: { userId, deviceId },
      since,
      filter,
      fullState: query.full_state ?? false,
      stateForm: stateFormOf(query),
      timeoutMs: query.timeout ?? 0,
      presence: presenceOf(query.set_presence ?? 'online'),
      aborted,
    });
    return new JsonText(answer.text);
  },
});
