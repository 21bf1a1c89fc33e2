import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

const MS_PER_SECOND = 1_000;

/** Makes a token that tells another service who the caller is, and is good for nothing else. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/user/{userId}/openid/request_token',
  aliases: ['/_matrix/client/r0/user/{userId}/openid/request_token'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/user/{userId}/openid/request_token',
  auth: 'user',
  rateLimit: 'ephemeral',
  params: Type.Object({ userId: Type.String() }),
  body: Type.Object({}),
  reply: Type.Object({
    access_token: Type.String(),
    token_type: Type.Literal('Bearer'),
    matrix_server_name: Type.String(),
    expires_in: Type.Integer(),
  }),
  needs: ['accounts', 'config'],
  async handle({ params, caller, services }) {
    const { userId } = caller;
    if (params.userId !== userId) return refuse('M_FORBIDDEN', 'You can ask for a token for yourself only.');
    const issued = await services.accounts.ask('accounts.issue-token', { userId, purpose: 'openid' });
    if (isRefusal(issued)) return issued;
    return {
      access_token: issued.token,
      token_type: 'Bearer' as const,
      matrix_server_name: services.config.server.name,
      expires_in: Math.floor(issued.expiresInMs / MS_PER_SECOND),
    };
  },
});
