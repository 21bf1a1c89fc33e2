import { Type } from 'typebox';
import { findAccount } from '../../../../db/accounts/reader.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { INVITE_DEADLINE_MS } from './invite-deadline.ts';

/** Invites of one request: each makes this server ask another one, and nobody is authenticated. */
const INVITES_MAX = 10;

/** An e-mail address or a telephone number has turned out to be a local user's: the invites that wait for it are made real. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/federation/v1/3pid/onbind',
  spec: 'Server-Server API v1.19, PUT /_matrix/federation/v1/3pid/onbind',
  auth: 'none',
  rateLimit: 'membership',
  body: Type.Object({
    mxid: Type.String(),
    invites: Type.Array(
      Type.Object({
        room_id: Type.String(),
        sender: Type.String(),
        signed: Type.Object({ mxid: Type.String(), token: Type.String() }),
      }),
    ),
  }),
  reply: Type.Object({}),
  needs: ['config', 'db', 'remote-rooms'],
  async handle({ body, services, log }) {
    const { mxid: target } = body;
    if (
      !isOfServer(target, services.config.server.name) ||
      (await findAccount(services.db, target)) === undefined
    )
      return refuse('M_INVALID_PARAM', 'mxid is not a user of this server.');
    const invites = body.invites.slice(0, INVITES_MAX);
    // Whoever signed them is for the rooms to say, which know whom they have asked.
    for (const { room_id: roomId, sender, signed } of invites) {
      if (signed.mxid !== target || parseUserId(sender) === undefined) continue;
      const content = { third_party_invite: { display_name: target, signed } } as unknown as JsonObject;
      const input = { roomId, sender, target, content };
      const done = await services['remote-rooms'].ask('remote-rooms.exchange-invite', input, {
        deadlineMs: INVITE_DEADLINE_MS,
      });
      if (isRefusal(done))
        log.info('an invite of a third party was not exchanged', { roomId, reason: done.error });
    }
    return {};
  },
});
