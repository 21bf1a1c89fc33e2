import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { parseFreeUsername } from '../../client/registration/username.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { checkNewPassword } from '../../kit/password-check.ts';

/**
 * Makes an account, under the rules of registration, and logs nobody in.
 *
 * Refused with M_INVALID_USERNAME, M_USER_IN_USE, M_WEAK_PASSWORD, M_INVALID_PARAM (password too long).
 */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_troupe/control/v1/users',
  spec: 'Troupe control v1: makes an account',
  auth: 'admin',
  rateLimit: null,
  body: Type.Object({
    name: Type.String(),
    password: Type.String(),
    admin: Type.Optional(Type.Boolean()),
  }),
  reply: Type.Object({ user_id: Type.String() }),
  needs: ['accounts', 'config', 'db', 'pool'],
  async handle({ body, services }) {
    const { accounts, config, db, pool } = services;
    const { name, password, admin = false } = body;
    const userId = await parseFreeUsername(db, name, config);
    if (isRefusal(userId)) return userId;
    const problem = checkNewPassword(password);
    if (problem !== undefined) return problem;
    const hashed = await pool.ask('pool.hash-password', { password });
    if (isRefusal(hashed)) return hashed;
    const registered = await accounts.ask('accounts.register', {
      userId,
      passwordHash: hashed.hash,
      isAdmin: admin,
      displayname: null,
      registrationToken: null,
      device: null,
    });
    return isRefusal(registered) ? registered : { user_id: registered.userId };
  },
});
