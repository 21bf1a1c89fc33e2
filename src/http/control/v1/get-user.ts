import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { getNamedAccount } from '../named-account.ts';

/** Finds a user by localpart or whole id. Refused with M_NOT_FOUND, M_FORBIDDEN (the server's own user). */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/control/v1/users/{name}',
  spec: 'Troupe control v1: finds a user',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ name: Type.String() }),
  reply: Type.Object({
    user_id: Type.String(),
    admin: Type.Boolean(),
    guest: Type.Boolean(),
    deactivated: Type.Boolean(),
    erased: Type.Boolean(),
  }),
  needs: ['config', 'db'],
  async handle({ params, services }) {
    const account = await getNamedAccount(services, params.name);
    if (isRefusal(account)) return account;
    return {
      user_id: account.userId,
      admin: account.isAdmin,
      guest: account.isGuest,
      deactivated: account.deactivatedTs !== null,
      erased: account.erasedTs !== null,
    };
  },
});
