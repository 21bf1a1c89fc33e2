import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { checkNewPassword } from '../../kit/password-check.ts';
import { getNamedAccount } from '../named-account.ts';

/**
 * Gives a user another password; unless `keep_devices`, all devices are logged out.
 *
 * Refused with M_NOT_FOUND, M_FORBIDDEN (a guest, the server's own user), M_USER_DEACTIVATED, M_WEAK_PASSWORD, M_INVALID_PARAM (password too long).
 */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_troupe/control/v1/users/{name}/password',
  spec: 'Troupe control v1: gives a user another password',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ name: Type.String() }),
  body: Type.Object({ password: Type.String(), keep_devices: Type.Optional(Type.Boolean()) }),
  reply: Type.Object({ user_id: Type.String() }),
  needs: ['accounts', 'config', 'db', 'pool'],
  async handle({ params, body, services }) {
    const { password, keep_devices: keepDevices = false } = body;
    const account = await getNamedAccount(services, params.name);
    if (isRefusal(account)) return account;
    const { userId } = account;
    if (account.isGuest) return refuse('M_FORBIDDEN', `${userId} is a guest and has no password`);
    const problem = checkNewPassword(password);
    if (problem !== undefined) return problem;
    const hashed = await services.pool.ask('pool.hash-password', { password });
    if (isRefusal(hashed)) return hashed;
    const changed = await services.accounts.ask('accounts.change-password', {
      userId,
      passwordHash: hashed.hash,
      onlyDeviceToKeep: null,
      deletesAllDevices: !keepDevices,
    });
    return isRefusal(changed) ? changed : { user_id: userId };
  },
});
