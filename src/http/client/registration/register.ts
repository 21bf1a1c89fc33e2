import { type Static, Type } from 'typebox';
import type { Registered, WantedDevice } from '../../../../actors/accounts/protocol.ts';
import { findAccessToken } from '../../../../db/accounts/reader.ts';
import { hashAccessToken } from '../../../../db/accounts/token-hash.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { makeUserId, type UserId } from '../../../matrix/identifiers/user-id.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { checkNewPassword } from '../../kit/password-check.ts';
import type { Services } from '../../kit/services.ts';
import { AuthData, authenticateInteractively } from '../../kit/user-interactive-auth.ts';
import { DEVICE_FIELDS, parseWantedDevice, TOKEN_FIELDS, toTokenFields } from '../login/device-fields.ts';
import { findRegistrationFlows } from './registration-flows.ts';
import { parseFreeUsername } from './username.ts';

const Body = Type.Object({
  auth: Type.Optional(AuthData),
  username: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  password: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  inhibit_login: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  guest_access_token: Type.Optional(Type.String()),
  ...DEVICE_FIELDS,
});

const Answer = Type.Object({
  user_id: Type.String(),
  home_server: Type.String(),
  access_token: Type.Optional(Type.String()),
  device_id: Type.Optional(Type.String()),
  ...TOKEN_FIELDS,
});

/** The guest who wants to become an ordinary user of the same name. Client-Server API v1.19, "Guest Access". */
async function parseGuest(
  db: ReadDb,
  serverName: string,
  username: string,
  token: string,
  now: number,
): Promise<UserId | Refusal> {
  const owner = await findAccessToken(db, hashAccessToken(token));
  const userId = makeUserId(username, serverName);
  const isTheirs = owner !== undefined && owner.isGuest && !owner.isLocked && owner.userId === userId;
  if (userId === undefined || !isTheirs || (owner.expiresTs !== null && owner.expiresTs <= now))
    return refuse('M_FORBIDDEN', 'The guest access token is not that of a guest of this name.');
  return userId;
}

/** Makes an account without a password, on a device that the server chooses, for who may do little with it. */
async function registerGuest(
  services: Pick<Services, 'accounts' | 'config' | 'streams'>,
  body: Static<typeof Body>,
): Promise<Static<typeof Answer> | Refusal> {
  const { accounts, config, streams } = services;
  if (!config.registration.allowGuests)
    return refuse('M_GUEST_ACCESS_FORBIDDEN', 'This server has no guest accounts.');
  const device = parseWantedDevice({ initial_device_display_name: body.initial_device_display_name ?? null });
  if (isRefusal(device)) return device;
  const registered = await accounts.ask('accounts.register', {
    userId: null,
    passwordHash: null,
    isAdmin: false,
    isGuest: true,
    displayname: null,
    registrationToken: null,
    device,
  });
  return isRefusal(registered) ? registered : toAnswer(registered, config.server.name, streams);
}

/** Waits until this thread has seen the new account. */
async function toAnswer(
  { userId, login }: Registered,
  serverName: string,
  streams: Services['streams'],
): Promise<Static<typeof Answer>> {
  const answer = { user_id: userId, home_server: serverName };
  if (login === null) return answer;
  await seeOwnEffects(streams, login.marks);
  const { accessToken, deviceId } = login;
  return { ...answer, access_token: accessToken, device_id: deviceId, ...toTokenFields(login) };
}

/** What can be wrong with a wish is told before anybody has gone through the authentication. */
async function parseWish(
  { db, config, clock }: Pick<Services, 'db' | 'config' | 'clock'>,
  username: string | null,
  password: string | null,
  guestToken: string | undefined,
): Promise<{ readonly kind: 'wish'; readonly userId: UserId | null } | Refusal> {
  const ofGuest =
    guestToken === undefined
      ? undefined
      : await parseGuest(db, config.server.name, username ?? '', guestToken, clock.now());
  const userId = ofGuest ?? (username === null ? null : await parseFreeUsername(db, username, config));
  if (isRefusal(userId)) return userId;
  const problem = password === null ? undefined : checkNewPassword(password);
  return problem ?? { kind: 'wish', userId };
}

interface AccountWish {
  readonly userId: string | null;
  /** It is there, and becomes an ordinary one. */
  readonly isGuest: boolean;
  readonly passwordHash: string;
  readonly registrationToken: string | null;
  readonly device: WantedDevice | null;
}

function createAccount(
  accounts: Services['accounts'],
  { userId, isGuest, ...wish }: AccountWish,
): Promise<Registered | Refusal> {
  return isGuest && userId !== null
    ? accounts.ask('accounts.upgrade-guest', { userId, ...wish })
    : accounts.ask('accounts.register', { userId, isAdmin: false, displayname: null, ...wish });
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
  reply: Answer,
  needs: ['accounts', 'clock', 'config', 'db', 'pool', 'streams'],
  async handle({ query, body, services }) {
    const { accounts, config, pool, streams } = services;
    const { kind = 'user' } = query;
    if (kind === 'guest') return registerGuest(services, body);
    if (kind !== 'user') return refuse('M_INVALID_PARAM', 'The query parameter "kind" is "user" or "guest".');
    const flows = await findRegistrationFlows(services);
    if (isRefusal(flows)) return flows;
    const device = parseWantedDevice(body);
    if (isRefusal(device)) return device;
    const password = body.password ?? null;
    const wish = await parseWish(services, body.username ?? null, password, body.guest_access_token);
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
    const registered = await createAccount(accounts, {
      userId: wish.userId,
      isGuest: body.guest_access_token !== undefined,
      passwordHash: hashed.hash,
      registrationToken: auth.registrationToken,
      device: body.inhibit_login === true ? null : device,
    });
    return isRefusal(registered) ? registered : toAnswer(registered, config.server.name, streams);
  },
});
