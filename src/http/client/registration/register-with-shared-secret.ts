import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { checkNewPassword } from '../../kit/password-check.ts';
import { checkDisplayname } from '../profile/profile-values.ts';
import { checkSharedSecret, isSameMac, sharedSecretMac } from './shared-secret.ts';
import { parseFreeUsername } from './username.ts';

/** Makes an account, of an admin or not, for who knows the shared secret. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_synapse/admin/v1/register',
  spec: 'Registration by shared secret, as common administration tools use it',
  auth: 'none',
  rateLimit: null,
  body: Type.Object({
    nonce: Type.String(),
    username: Type.String(),
    displayname: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    password: Type.String(),
    admin: Type.Optional(Type.Boolean()),
    user_type: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    mac: Type.String(),
  }),
  reply: Type.Object({
    user_id: Type.String(),
    home_server: Type.String(),
    access_token: Type.String(),
    device_id: Type.String(),
  }),
  needs: ['accounts', 'config', 'db', 'pool', 'streams'],
  async handle({ body, services }) {
    const { accounts, config, db, pool, streams } = services;
    const {
      nonce,
      username,
      password,
      mac,
      displayname = null,
      admin = false,
      user_type: userType = null,
    } = body;
    const secret = checkSharedSecret(config);
    if (isRefusal(secret)) return secret;
    const taken = await accounts.ask('accounts.take-nonce', { nonce });
    if (!taken.known) return refuse('M_UNKNOWN', 'The nonce is not known, or has expired.');
    const expected = sharedSecretMac(secret, { nonce, username, password, admin, userType });
    if (!isSameMac(expected, mac)) return refuse('M_FORBIDDEN', 'The code in "mac" is wrong.');
    const problem =
      checkNewPassword(password) ?? (displayname === null ? undefined : checkDisplayname(displayname));
    if (problem !== undefined) return problem;
    const userId = await parseFreeUsername(db, username, config);
    if (isRefusal(userId)) return userId;
    const hashed = await pool.ask('pool.hash-password', { password });
    if (isRefusal(hashed)) return hashed;
    const registered = await accounts.ask('accounts.register', {
      userId,
      passwordHash: hashed.hash,
      isAdmin: admin,
      displayname,
      registrationToken: null,
      device: { deviceId: null, initialDeviceDisplayName: null },
    });
    if (isRefusal(registered)) return registered;
    const { login } = registered;
    if (login === null) throw new Error('a device was wanted and not made');
    await seeOwnEffects(streams, login.marks);
    return {
      user_id: userId,
      home_server: config.server.name,
      access_token: login.accessToken,
      device_id: login.deviceId,
    };
  },
});
