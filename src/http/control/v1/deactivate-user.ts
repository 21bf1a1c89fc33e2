import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { getNamedAccount } from '../named-account.ts';

/**
 * Ends an account for ever; again, to erase what the first time has left. Its rooms are left behind the answer.
 *
 * Refused with M_NOT_FOUND, M_FORBIDDEN (the server's own user).
 */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_troupe/control/v1/users/{name}/deactivate',
  spec: 'Troupe control v1: ends an account',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ name: Type.String() }),
  body: Type.Object({ erase: Type.Optional(Type.Boolean()) }),
  reply: Type.Object({ user_id: Type.String() }),
  needs: ['accounts', 'config', 'db'],
  async handle({ params, body, services }) {
    const account = await getNamedAccount(services, params.name);
    if (isRefusal(account)) return account;
    const { userId } = account;
    const changed = await services.accounts.ask('accounts.deactivate', {
      userId,
      erase: body.erase ?? false,
    });
    return isRefusal(changed) ? changed : { user_id: userId };
  },
});
