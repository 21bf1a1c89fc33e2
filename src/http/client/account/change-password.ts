import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { checkNewPassword } from '../../kit/password-check.ts';
import { AuthData, authenticateInteractively, PASSWORD_FLOWS } from '../../kit/user-interactive-auth.ts';

/**
 * Sets a new password. The other devices are logged out unless `logout_devices` is false; the caller's stays. Who has no access token any
 * more names themselves with the old password.
 */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/account/password',
  aliases: ['/_matrix/client/r0/account/password'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/account/password',
  auth: 'optional',
  allows: ['suspended'],
  rateLimit: 'login',
  body: Type.Object({
    auth: Type.Optional(AuthData),
    new_password: Type.String(),
    logout_devices: Type.Optional(Type.Boolean()),
  }),
  reply: Type.Object({}),
  needs: ['accounts', 'config', 'db', 'pool', 'streams'],
  async handle({ body, caller, services }) {
    const { accounts, pool, streams } = services;
    const problem = checkNewPassword(body.new_password);
    if (problem !== undefined) return problem;
    const auth = await authenticateInteractively(services, {
      endpoint: 'POST /_matrix/client/v3/account/password',
      userId: caller?.userId ?? null,
      body,
      flows: PASSWORD_FLOWS,
    });
    if (auth.kind !== 'passed') return auth;
    const { userId } = auth;
    if (userId === null) throw new Error('a password has been right without saying whose it is');
    const hashed = await pool.ask('pool.hash-password', { password: body.new_password });
    if (isRefusal(hashed)) return hashed;
    const logsOut = body.logout_devices ?? true;
    const changed = await accounts.ask('accounts.change-password', {
      userId,
      passwordHash: hashed.hash,
      onlyDeviceToKeep: logsOut ? (caller?.deviceId ?? null) : null,
      deletesAllDevices: logsOut && caller === null,
    });
    if (isRefusal(changed)) return changed;
    await seeOwnEffects(streams, changed.marks);
    return {};
  },
});
