import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findRegistrationFlows } from './registration-flows.ts';

/** Says whether a registration token could be used now. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/register/m.login.registration_token/validity',
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/register/m.login.registration_token/validity',
  auth: 'none',
  rateLimit: 'registration',
  query: Type.Object({ token: Type.String() }),
  reply: Type.Object({ valid: Type.Boolean() }),
  needs: ['accounts', 'clock', 'config', 'db'],
  async handle({ query, services }) {
    const flows = await findRegistrationFlows(services);
    if (isRefusal(flows)) return flows;
    return services.accounts.ask('accounts.check-registration-token', { token: query.token });
  },
});
