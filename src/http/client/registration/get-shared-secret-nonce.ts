import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { checkSharedSecret } from './shared-secret.ts';

/** Gives a nonce for one registration by shared secret. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_synapse/admin/v1/register',
  spec: 'Registration by shared secret, as common administration tools use it',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({ nonce: Type.String() }),
  needs: ['accounts', 'config'],
  async handle({ services }) {
    const secret = checkSharedSecret(services.config);
    return isRefusal(secret) ? secret : services.accounts.ask('accounts.issue-nonce', null);
  },
});
