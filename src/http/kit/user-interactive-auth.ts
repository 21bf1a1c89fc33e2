import { hash } from 'node:crypto';
import { type Static, Type } from 'typebox';
import type {
  AccountsProtocol,
  AuthBinding,
  AuthChallenge,
  AuthFlows,
  AuthPassed,
} from '../../../actors/accounts/protocol.ts';
import type { InputOf } from '../../../actors/kit/protocol.ts';
import { findAccount } from '../../../db/accounts/reader.ts';
import type { Config } from '../../config/config.ts';
import type { JsonObject } from '../../kit/json.ts';
import { USER_LOCKED } from '../../matrix/account-refusals.ts';
import { canonicalJsonWithout } from '../../matrix/events/canonical-json.ts';
import { isRefusal, type Refusal } from '../../matrix/refusal.ts';
import { type Reply, reply } from './endpoint.ts';
import { findNamedAccount, isPasswordRight, userNameOf } from './password-check.ts';
import type { Services } from './services.ts';

/** Who is logged in proves it again with the password. */
export const PASSWORD_FLOWS: AuthFlows = [['m.login.password']];

const GivenAuth = Type.Object({
  type: Type.Optional(Type.String()),
  session: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  token: Type.Optional(Type.String()),
  identifier: Type.Optional(Type.Object({ type: Type.String(), user: Type.Optional(Type.String()) })),
  user: Type.Optional(Type.String()),
});

/** The `auth` field of a body; null is as good as none. Client-Server API v1.19, "User-Interactive Authentication API". */
export const AuthData = Type.Union([GivenAuth, Type.Null()]);

type AuthDataOfRequest = Static<typeof GivenAuth>;
type Stage = InputOf<AccountsProtocol, 'accounts.advance-auth'>['stage'];

/** What {@link authenticateInteractively} needs of the services. */
export type InteractiveAuthServices = Pick<Services, 'accounts' | 'config' | 'db' | 'pool'>;

/** The operation that is to be authorised. */
export interface InteractiveAuthRequest {
  /** Method and path, as requested: a session is good for this one only. */
  readonly endpoint: string;
  /** Who asks; null when nobody is logged in. */
  readonly userId: string | null;
  /** The whole body. Everything but `auth` are the parameters that the session is bound to. */
  readonly body: { readonly auth?: AuthDataOfRequest | null | undefined };
  readonly flows: AuthFlows;
}

/** A stage that was tried. */
type Attempt =
  | {
      readonly kind: 'checked';
      readonly stage: Stage;
      /** Who is asking, where the stage proves that. */
      readonly userId?: string;
    }
  | { readonly kind: 'failed'; readonly errcode: Refusal['errcode']; readonly error: string };

const NOTHING_TRIED: Attempt = { kind: 'checked', stage: null };

function failed(errcode: Refusal['errcode'], error: string): Attempt {
  return { kind: 'failed', errcode, error };
}

const AUTH_FIELD: ReadonlySet<string> = new Set(['auth']);

function bindingOf({ endpoint, userId, body }: InteractiveAuthRequest): AuthBinding {
  const parameters = canonicalJsonWithout(body as JsonObject, AUTH_FIELD, 'lenient');
  if (parameters === undefined) throw new Error('a parsed body nests deeper than bodies may');
  // The parameters may hold a password: they are not kept, only what tells them from others.
  return { endpoint, userId, parametersHash: parameters === '{}' ? null : hash('sha256', parameters, 'hex') };
}

/** Nobody is logged in: the stage has to name somebody, whose password proves who is asking. */
async function tryNamedPassword(
  services: InteractiveAuthServices,
  auth: AuthDataOfRequest & { readonly password: string },
): Promise<Attempt | Refusal> {
  const { db, config } = services;
  const name = userNameOf(auth);
  if (name === undefined) return failed('M_MISSING_PARAM', 'The field "auth.identifier.user" is missing.');
  const account = await findNamedAccount(db, config.server.name, name);
  const isRight = await isPasswordRight(services, account, auth.password);
  if (isRefusal(isRight)) return isRight;
  if (account === undefined || !isRight)
    return failed('M_FORBIDDEN', 'The user name or the password is wrong.');
  if (account.lockedTs !== null) return USER_LOCKED;
  return { kind: 'checked', stage: { type: 'm.login.password' }, userId: account.userId };
}

/** The password has to be that of who is logged in. */
async function tryPassword(
  services: InteractiveAuthServices,
  userId: string | null,
  auth: AuthDataOfRequest,
): Promise<Attempt | Refusal> {
  const { db, config } = services;
  const { password } = auth;
  if (password === undefined) return failed('M_MISSING_PARAM', 'The field "auth.password" is missing.');
  if (userId === null) return tryNamedPassword(services, { ...auth, password });
  const account = await findAccount(db, userId);
  const isNamed = auth.identifier !== undefined || auth.user !== undefined;
  const name = userNameOf(auth);
  const named = name === undefined ? undefined : await findNamedAccount(db, config.server.name, name);
  const isRight = await isPasswordRight(services, account, password);
  if (isRefusal(isRight)) return isRight;
  if (isNamed && named?.userId !== userId) return failed('M_FORBIDDEN', 'This is not your user name.');
  if (!isRight) return failed('M_FORBIDDEN', 'The password is wrong.');
  return { kind: 'checked', stage: { type: 'm.login.password' }, userId };
}

async function tryStage(
  services: InteractiveAuthServices,
  { userId, body, flows }: InteractiveAuthRequest,
): Promise<Attempt | Refusal> {
  const auth = body.auth ?? null;
  const type = auth?.type;
  if (auth === null || type === undefined) return NOTHING_TRIED;
  if (!flows.some((stages) => stages.includes(type))) {
    return failed('M_UNKNOWN', 'The authentication type is not part of any flow.');
  }
  switch (type) {
    case 'm.login.dummy':
    case 'm.login.terms':
      return { kind: 'checked', stage: { type } };
    case 'm.login.password':
      return tryPassword(services, userId, auth);
    case 'm.login.registration_token':
      if (auth.token === undefined) return failed('M_MISSING_PARAM', 'The field "auth.token" is missing.');
      return { kind: 'checked', stage: { type, token: auth.token } };
    default:
      throw new Error(`no check for the authentication type ${type}`);
  }
}

const TERMS_STAGE = 'm.login.terms';

/** What clients have to know of stages. Client-Server API v1.19, "Terms of service at registration". */
function paramsOf(flows: AuthFlows, { registration }: Config): JsonObject {
  if (!flows.some((stages) => stages.includes(TERMS_STAGE))) return {};
  const { name, url, version } = registration.terms;
  return { [TERMS_STAGE]: { policies: { terms: { version, en: { name, url } } } } };
}

function challengeReply(challenge: AuthChallenge, attempt: Attempt, config: Config): Reply<unknown> {
  const { session, completed, problem } = challenge;
  const flows = challenge.flows.map((stages) => ({ stages }));
  const body = { session, flows, params: paramsOf(challenge.flows, config), completed };
  if (problem === 'session') {
    const error =
      'The session is unknown, has expired, or was opened for another request. Here is a new one.';
    return reply(401, { ...body, errcode: 'M_FORBIDDEN', error });
  }
  if (problem === 'registration-token') {
    return reply(401, { ...body, errcode: 'M_FORBIDDEN', error: 'The registration token is not valid.' });
  }
  if (attempt.kind === 'checked') return reply(401, body);
  return reply(401, { ...body, errcode: attempt.errcode, error: attempt.error });
}

/** What has been authorised, and for whom: the caller, or whom the password of the last stage named; null when no stage names anybody. */
type Authorised = AuthPassed & { readonly userId: string | null };

/**
 * One round of user-interactive authentication. An endpoint calls it before it does what has to be authorised:
 *
 *     const auth = await authenticateInteractively(services, { endpoint, userId, body, flows });
 *     if (auth.kind !== 'passed') return auth;
 *
 * A session is bound to the endpoint, the user and the parameters, and ends when its flow is complete. A client may send a stage with
 * its first request, without a session.
 * Client-Server API v1.19, "User-Interactive Authentication API".
 *
 * @returns `passed`, with who passed; the 401 with flows, params, session and completed stages (with errcode and error when a stage failed); or a
 * refusal when nothing could be checked
 */
export async function authenticateInteractively(
  services: InteractiveAuthServices,
  request: InteractiveAuthRequest,
): Promise<Authorised | Reply<unknown> | Refusal> {
  const attempt = await tryStage(services, request);
  if (isRefusal(attempt)) return attempt;
  const answer = await services.accounts.ask('accounts.advance-auth', {
    session: request.body.auth?.session ?? null,
    binding: bindingOf(request),
    flows: request.flows,
    stage: attempt.kind === 'checked' ? attempt.stage : null,
  });
  if (answer.kind !== 'passed') return challengeReply(answer, attempt, services.config);
  const proven = attempt.kind === 'checked' ? attempt.userId : undefined;
  return { ...answer, userId: request.userId ?? proven ?? null };
}
