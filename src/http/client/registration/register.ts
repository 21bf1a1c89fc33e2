import { Type } from 'typebox';
import type { UserId } from '../../../matrix/identifiers/user-id.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { checkNewPassword } from '../../kit/password-check.ts';
import type { Services } from '../../kit/services.ts';
import { AuthData, authenticateInteractively } from '../../kit/user-interactive-auth.ts';
import { DEVICE_FIELDS, parseWantedDevice } from '../login/device-fields.ts';
import { findRegistrationFlows } from './registration-flows.ts';
import { parseFreeUsername } from './username.ts';

const Body = Type.Object({
  auth: Type.Optional(AuthData),
  username: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  password: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  inhibit_login: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  ...DEVICE_FIELDS,
});

/** What can be wrong with a wish is told before anybody has gone through the authentication. */
async function parseWish(
  { db, config }: Pick<Services, 'db' | 'config'>,
  username: string | null,
  password: string | null,
): Promise<{ readonly kind: 'wish'; readonly userId: UserId | null } | Refusal> {
  const userId = username === null ? null : await parseFreeUsername(db, username, config.server.name);
  if (isRefusal(userId)) return userId;
  const problem = password === null ? undefined : checkNewPassword(password);
  return problem ?? { kind: 'wish', userId };
}

/** Makes an account, and logs it in unless `inhibit_login`. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/register',
  aliases: ['/_matrix/client/r0/register'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/register',
  auth: 'none',
  rateLimit: 'registration',
  query: Type.Object({ kind: Type.Optional(Type.String()) }),
  body: Body,
  reply: Type.Object({
    user_id: Type.String(),
    home_server: Type.String(),
    access_token: Type.Optional(Type.String()),
    device_id: Type.Optional(Type.String()),
  }),
  needs: ['accounts', 'clock', 'config', 'db', 'pool', 'streams'],
  async handle({ query, body, services }) {
    const { accounts, config, pool, streams } = services;
    const { kind = 'user' } = query;
    if (kind === 'guest') return refuse('M_GUEST_ACCESS_FORBIDDEN', 'This server has no guest accounts.');
    if (kind !== 'user') return refuse('M_INVALID_PARAM', 'The query parameter "kind" is "user" or "guest".');
    const flows = await findRegistrationFlows(services);
    if (isRefusal(flows)) return flows;
    const device = parseWantedDevice(body);
    if (isRefusal(device)) return device;
    const password = body.password ?? null;
    const wish = await parseWish(services, body.username ?? null, password);
    if (isRefusal(wish)) return wish;
    // A first request may be there only to learn the flows.
    if ((body.auth ?? null) !== null && password === null)
      return refuse('M_MISSING_PARAM', 'The field "password" is missing.');

    const endpointName = 'POST /_matrix/client/v3/register';
    const auth = await authenticateInteractively(services, {
      endpoint: endpointName,
      userId: null,
      body,
      flows,
    });
    if (auth.kind !== 'passed') return auth;
    if (password === null) throw new Error('a registration without a password has passed');
    const hashed = await pool.ask('pool.hash-password', { password });
    if (isRefusal(hashed)) return hashed;
    const registered = await accounts.ask('accounts.register', {
      userId: wish.userId,
      passwordHash: hashed.hash,
      isAdmin: false,
      displayname: null,
      registrationToken: auth.registrationToken,
      device: body.inhibit_login === true ? null : device,
    });
    if (isRefusal(registered)) return registered;
    const { userId, login } = registered;
    if (login === null) return { user_id: userId, home_server: config.server.name };
    await seeOwnEffects(streams, login.marks);
    const { accessToken, deviceId } = login;
    return {
      user_id: userId,
      home_server: config.server.name,
      access_token: accessToken,
      device_id: deviceId,
    };
  },
});
