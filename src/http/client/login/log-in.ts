import { Type } from 'typebox';
import { type Account, findAccount, findLoginTokenUser } from '../../../../db/accounts/reader.ts';
import { hashAccessToken } from '../../../../db/accounts/token-hash.ts';
import { USER_LOCKED } from '../../../matrix/account-refusals.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { findNamedAccount, isPasswordRight, type NamedUser, userNameOf } from '../../kit/password-check.ts';
import type { Services } from '../../kit/services.ts';
import { DEVICE_FIELDS, parseWantedDevice, TOKEN_FIELDS, toTokenFields } from './device-fields.ts';

const Body = Type.Object({
  type: Type.String(),
  identifier: Type.Optional(Type.Object({ type: Type.String(), user: Type.Optional(Type.String()) })),
  user: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  token: Type.Optional(Type.String()),
  ...DEVICE_FIELDS,
});

/** One answer for a wrong name and a wrong password: it does not tell which names exist. */
const WRONG = refuse('M_FORBIDDEN', 'The user name or the password is wrong.');

/** Whom the credentials are good for. */
interface Checked {
  readonly kind: 'right';
  readonly userId: string;
  /** Of the token that the login uses up. */
  readonly loginTokenHash?: string;
}

type CheckServices = Pick<Services, 'clock' | 'config' | 'db' | 'pool'>;
type Credentials = NamedUser & { readonly password?: string; readonly token?: string };

/** What keeps the owner of right credentials out. */
function findObstacle(account: Account): Refusal | undefined {
  if (account.deactivatedTs !== null)
    return refuse('M_USER_DEACTIVATED', 'This account has been deactivated.');
  return account.lockedTs === null ? undefined : USER_LOCKED;
}

/** The account that is named, when the password is right. */
async function checkPassword(services: CheckServices, body: Credentials): Promise<Checked | Refusal> {
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
  // An account that is gone has no password that could be right, and is no secret.
  if (account.deactivatedTs === null && !isRight) return WRONG;
  return findObstacle(account) ?? { kind: 'right', userId: account.userId };
}

/** The owner of a token that another device has made for this login. */
async function checkLoginToken(services: CheckServices, body: Credentials): Promise<Checked | Refusal> {
  const { clock, db } = services;
  if (body.token === undefined) return refuse('M_MISSING_PARAM', 'The field "token" is missing.');
  const loginTokenHash = hashAccessToken(body.token);
  const userId = await findLoginTokenUser(db, loginTokenHash, clock.now());
  const account = userId === undefined ? undefined : await findAccount(db, userId);
  if (account === undefined)
    return refuse('M_FORBIDDEN', 'The login token is not known, or has been used already.');
  return findObstacle(account) ?? { kind: 'right', userId: account.userId, loginTokenHash };
}

const CHECKS: Readonly<
  Record<string, (services: CheckServices, body: Credentials) => Promise<Checked | Refusal>>
> = { 'm.login.password': checkPassword, 'm.login.token': checkLoginToken };

/** Logs in with a password, or with a token that another device has made: on a new device, or again on one that exists. */
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
    ...TOKEN_FIELDS,
    well_known: Type.Optional(Type.Object({ 'm.homeserver': Type.Object({ base_url: Type.String() }) })),
  }),
  needs: ['accounts', 'clock', 'config', 'db', 'pool', 'streams'],
  async handle({ body, services }) {
    const { accounts, config, streams } = services;
    const check = Object.hasOwn(CHECKS, body.type) ? CHECKS[body.type] : undefined;
    if (check === undefined) return refuse('M_UNKNOWN', `The login type "${body.type}" is not supported.`);
    const device = parseWantedDevice(body);
    if (isRefusal(device)) return device;
    const checked = await check(services, body);
    if (isRefusal(checked)) return checked;
    const { userId, loginTokenHash } = checked;
    const used = loginTokenHash === undefined ? {} : { loginTokenHash };
    const login = await accounts.ask('accounts.log-in', { userId, ...used, ...device });
    if (isRefusal(login)) return login;
    await seeOwnEffects(streams, login.marks);
    const { name, publicBaseUrl } = config.server;
    const answer = {
      user_id: login.userId,
      access_token: login.accessToken,
      device_id: login.deviceId,
      home_server: name,
      ...toTokenFields(login),
    };
    if (publicBaseUrl === '') return answer;
    return { ...answer, well_known: { 'm.homeserver': { base_url: publicBaseUrl } } };
  },
});
