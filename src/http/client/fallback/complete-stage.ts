import { Type } from 'typebox';
import type { AccountsProtocol } from '../../../../actors/accounts/protocol.ts';
import type { InputOf } from '../../../../actors/kit/protocol.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findStagePage } from './stage-pages.ts';

type Stage = InputOf<AccountsProtocol, 'accounts.complete-stage'>['stage'];

function stageOf(type: string, token: string | undefined): Stage | undefined {
  if (type === 'm.login.dummy' || type === 'm.login.terms') return { type };
  return type === 'm.login.registration_token' && token !== undefined ? { type, token } : undefined;
}

/**
 * Completes a stage from its page. The session's name is what proves that the page belongs to the client that waits: nobody else knows it,
 * so that no other site can send this in a user's name.
 */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/auth/{authType}/fallback/web',
  aliases: ['/_matrix/client/r0/auth/{authType}/fallback/web'],
  spec: 'Client-Server API v1.19, "User-Interactive Authentication API", "Fallback"',
  auth: 'none',
  rateLimit: 'registration',
  params: Type.Object({ authType: Type.String() }),
  body: Type.Object({ session: Type.String(), token: Type.Optional(Type.String()) }),
  reply: Type.Object({}),
  needs: ['accounts', 'config'],
  async handle({ params, body, services }) {
    const { authType } = params;
    if (findStagePage(authType, services.config) === undefined)
      return refuse('M_NOT_FOUND', 'There is no page for this stage.');
    const stage = stageOf(authType, body.token);
    if (stage === undefined) return refuse('M_MISSING_PARAM', 'The field "token" is missing.');
    const { session } = body;
    const { outcome } = await services.accounts.ask('accounts.complete-stage', { session, stage });
    if (outcome === 'completed') return {};
    if (outcome === 'wrong-token') return refuse('M_FORBIDDEN', 'The registration token is not valid.');
    return refuse('M_FORBIDDEN', 'The session is unknown or has expired: begin anew in your application.');
  },
});
