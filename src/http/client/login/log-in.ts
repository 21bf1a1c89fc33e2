import { Type } from 'typebox';
import type { Account } from '../../../../db/accounts/reader.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { findNamedAccount, isPasswordRight, type NamedUser, userNameOf } from '../../kit/password-check.ts';
import type { Services } from '../../kit/services.ts';
import { DEVICE_FIELDS, parseWantedDevice } from './device-fields.ts';

const Body = Type.Object({
  type: Type.String(),
  identifier: Type.Optional(Type.Object({ type: Type.String(), user: Type.Optional(Type.String()) })),
  user: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  ...DEVICE_FIELDS,
});

/** One answer for a wrong name and a wrong password: it does not tell which names exist. */
const WRONG = refuse('M_FORBIDDEN', 'The user name or the password is wrong.');

/** The account that is named, when the password is right. */
async function checkPassword(
  services: Pick<Services, 'config' | 'db' | 'pool'>,
  body: NamedUser & { readonly password?: string },
): Promise<{ readonly kind: 'right'; readonly account: Account } | Refusal> {
  const { config, db } = services;
  const name = userNameOf(body);
  if (name === undefined) {
    return body.identifier !== undefined && body.identifier.type !== 'm.id.user'
      ? refuse('M_UNKNOWN', 'This server knows users by "m.id.user" only.')
      : refuse('M_MISSING_PARAM', 'The field "identifier.user" is missing.');
  }
  if (body.password === undefined) return refuse('M_MISSING_PARAM', 'The field "password" is missing.');
  const account = await findNamedAccount(db, config.server.name, name);
  const isRight = await isPasswordRight(services, account, body.password);
  if (isRefusal(isRight)) return isRight;
  if (account === undefined) return WRONG;
  if (account.deactivatedTs !== null) {
    return refuse('M_USER_DEACTIVATED', 'This account has been deactivated.');
  }
  return isRight ? { kind: 'right', account } : WRONG;
}

/** Logs in with a password: on a new device, or again on one that exists. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/login',
  aliases: ['/_matrix/client/r0/login'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/login',
  auth: 'none',
  rateLimit: 'login',
  body: Body,
  reply: Type.Object({
    user_id: Type.String(),
    access_token: Type.String(),
    device_id: Type.String(),
    home_server: Type.String(),
    well_known: Type.Optional(Type.Object({ 'm.homeserver': Type.Object({ base_url: Type.String() }) })),
  }),
  needs: ['accounts', 'config', 'db', 'pool', 'streams'],
  async handle({ body, services }) {
    const { accounts, config, streams } = services;
    if (body.type !== 'm.login.password') {
      return refuse('M_UNKNOWN', `The login type "${body.type}" is not supported.`);
    }
    const device = parseWantedDevice(body);
    if (isRefusal(device)) return device;
    const checked = await checkPassword(services, body);
    if (isRefusal(checked)) return checked;
    const login = await accounts.ask('accounts.log-in', { userId: checked.account.userId, ...device });
    if (isRefusal(login)) return login;
    await seeOwnEffects(streams, login.marks);
    const { name, publicBaseUrl } = config.server;
    const answer = {
      user_id: login.userId,
      access_token: login.accessToken,
      device_id: login.deviceId,
      home_server: name,
    };
    if (publicBaseUrl === '') return answer;
    return { ...answer, well_known: { 'm.homeserver': { base_url: publicBaseUrl } } };
  },
});
