import { Type } from 'typebox';
import { findOpenIdUser } from '../../../../db/accounts/reader.ts';
import { hashAccessToken } from '../../../../db/accounts/token-hash.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Tells another service who has given it an OpenID token. The token is all that it takes: services are no servers, and sign nothing. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/openid/userinfo',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/openid/userinfo',
  auth: 'none',
  rateLimit: null,
  query: Type.Object({ access_token: Type.Optional(Type.String()) }),
  reply: Type.Object({ sub: Type.String() }),
  needs: ['clock', 'db'],
  async handle({ query, services }) {
    const { access_token: token } = query;
    if (token === undefined) return refuse('M_MISSING_TOKEN', 'access_token is needed.');
    const sub = await findOpenIdUser(services.db, hashAccessToken(token), services.clock.now());
    return sub === undefined ? refuse('M_UNKNOWN_TOKEN', 'The token is not known, or has expired.') : { sub };
  },
});
