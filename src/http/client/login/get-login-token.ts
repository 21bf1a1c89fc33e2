import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { AuthData, authenticateInteractively, PASSWORD_FLOWS } from '../../kit/user-interactive-auth.ts';

/** Makes a token with which another device logs in as the caller, once. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v1/login/get_token',
  aliases: ['/_matrix/client/unstable/org.matrix.msc3882/login/get_token'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v1/login/get_token',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'login',
  body: Type.Object({ auth: Type.Optional(AuthData) }),
  reply: Type.Object({ login_token: Type.String(), expires_in_ms: Type.Integer() }),
  needs: ['accounts', 'config', 'db', 'pool'],
  async handle({ body, caller, services }) {
    const { userId } = caller;
    const auth = await authenticateInteractively(services, {
      endpoint: 'POST /_matrix/client/v1/login/get_token',
      userId,
      body,
      flows: PASSWORD_FLOWS,
    });
    if (auth.kind !== 'passed') return auth;
    const issued = await services.accounts.ask('accounts.issue-token', { userId, purpose: 'login' });
    if (isRefusal(issued)) return issued;
    return { login_token: issued.token, expires_in_ms: issued.expiresInMs };
  },
});
