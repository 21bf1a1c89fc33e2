import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { AuthData, authenticateInteractively, PASSWORD_FLOWS } from '../../kit/user-interactive-auth.ts';

/** Ends the caller's account for ever. The name stays taken. Who has no access token any more names themselves with the password. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/account/deactivate',
  aliases: ['/_matrix/client/r0/account/deactivate'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/account/deactivate',
  auth: 'optional',
  allows: ['suspended'],
  rateLimit: 'login',
  body: Type.Object({
    auth: Type.Optional(AuthData),
    erase: Type.Optional(Type.Boolean()),
  }),
  reply: Type.Object({
    /** No third-party id was ever bound, so that all of none are unbound. */
    id_server_unbind_result: Type.Literal('success'),
  }),
  needs: ['accounts', 'config', 'db', 'pool', 'streams'],
  async handle({ body, caller, services }) {
    const auth = await authenticateInteractively(services, {
      endpoint: 'POST /_matrix/client/v3/account/deactivate',
      userId: caller?.userId ?? null,
      body,
      flows: PASSWORD_FLOWS,
    });
    if (auth.kind !== 'passed') return auth;
    const { userId } = auth;
    if (userId === null) throw new Error('a password has been right without saying whose it is');
    const erase = body.erase ?? false;
    const changed = await services.accounts.ask('accounts.deactivate', { userId, erase });
    if (isRefusal(changed)) return changed;
    await seeOwnEffects(services.streams, changed.marks);
    return { id_server_unbind_result: 'success' as const };
  },
});
