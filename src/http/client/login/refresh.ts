import { Type } from 'typebox';
import { findRefreshToken } from '../../../../db/accounts/reader.ts';
import { hashAccessToken } from '../../../../db/accounts/token-hash.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { TOKEN_FIELDS, toTokenFields } from './device-fields.ts';

/** Gives a new access token, and the refresh token for the next one. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/refresh',
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/refresh',
  auth: 'none',
  // Everybody behind one address refreshes; the token is no password that could be guessed.
  rateLimit: 'reading',
  body: Type.Object({ refresh_token: Type.String() }),
  reply: Type.Object({ access_token: Type.String(), ...TOKEN_FIELDS }),
  needs: ['accounts', 'db', 'streams'],
  async handle({ body, services }) {
    const refreshHash = hashAccessToken(body.refresh_token);
    const owner = await findRefreshToken(services.db, refreshHash);
    if (owner === undefined) {
      const extra = { soft_logout: false };
      return refuse('M_UNKNOWN_TOKEN', 'The refresh token is not known.', { extra });
    }
    const { userId } = owner;
    const login = await services.accounts.ask('accounts.refresh', { userId, refreshHash });
    if (isRefusal(login)) return login;
    await seeOwnEffects(services.streams, login.marks);
    return { access_token: login.accessToken, ...toTokenFields(login) };
  },
});
