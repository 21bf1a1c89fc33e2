import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** The keys of a policy server under this server's name; 404 `M_NOT_FOUND` when the configuration names none. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/.well-known/matrix/policy_server',
  spec: 'Client-Server API v1.19, GET /.well-known/matrix/policy_server',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({ public_keys: Type.Record(Type.String(), Type.String()) }),
  needs: ['config'],
  handle({ services }) {
    const { policyServerKeys } = services.config.wellKnown;
    if (Object.keys(policyServerKeys).length === 0)
      return Promise.resolve(refuse('M_NOT_FOUND', 'There is no policy server under this name.'));
    return Promise.resolve({ public_keys: { ...policyServerKeys } });
  },
});
