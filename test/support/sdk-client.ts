import {
  ClientEvent,
  createClient,
  type EmittedEvents,
  type MatrixClient,
  type MatrixEvent,
  MatrixEventEvent,
  type Room,
  RoomEvent,
  RoomMemberEvent,
  RoomStateEvent,
  SyncState,
  UserEvent,
} from 'matrix-js-sdk';
import type { CryptoCallbacks } from 'matrix-js-sdk/lib/crypto-api/index.js';
import type { Logger } from 'matrix-js-sdk/lib/logger.js';
import { checkedFetch } from './checked-fetch.ts';

/** The package logs every request; a test is quiet. */
export const quiet: Logger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  getChild: () => quiet,
};

// Some of its parts log through the console whatever logger they are given.
for (const name of ['trace', 'debug', 'info', 'log', 'warn'] as const) console[name] = () => undefined;

/** How long a story waits for one thing to happen before it is told that it never did. */
const PATIENCE_MS = 25_000;

/** The credentials that a login or registration gave. */
export interface Session {
  readonly userId: string;
  readonly deviceId: string;
  readonly accessToken: string;
}

/** A client that nobody is logged in with. */
export function anonymousClient(baseUrl: string): MatrixClient {
  return createClient({ baseUrl, logger: quiet, fetchFn: checkedFetch });
}

/**
 * A client of a session, not started.
 *
 * @param cryptoCallbacks how it asks its user for secrets; not at all when absent
 */
export function clientOf(
  baseUrl: string,
  session: Session,
  cryptoCallbacks: CryptoCallbacks = {},
): MatrixClient {
  return createClient({
    baseUrl,
    ...session,
    cryptoCallbacks,
    timelineSupport: true,
    logger: quiet,
    fetchFn: checkedFetch,
  });
}

/** Registers with user-interactive authentication: asks for the flows first, then completes a stage. */
export async function register(
  baseUrl: string,
  username: string,
  password: string,
  registrationToken?: string,
): Promise<Session> {
  const client = anonymousClient(baseUrl);
  const request = {
    username,
    password,
    device_id: `${username}-phone`,
    initial_device_display_name: 'Story',
  };
  const challenge = await client.registerRequest(request).then(
    () => {
      throw new Error('registered without any authentication');
    },
    (error: { httpStatus?: number; data?: { session?: string; flows?: { stages: string[] }[] } }) => {
      if (error.httpStatus !== 401) throw error;
      return error.data ?? {};
    },
  );
  const session = challenge.session ?? '';
  const auth =
    registrationToken === undefined
      ? { type: 'm.login.dummy', session }
      : { type: 'm.login.registration_token', token: registrationToken, session };
  const answer = await client.registerRequest({ ...request, auth });
  return { userId: answer.user_id, deviceId: answer.device_id ?? '', accessToken: answer.access_token ?? '' };
}

/** Logs in with a password. */
export async function logIn(baseUrl: string, user: string, password: string): Promise<Session> {
  const answer = await anonymousClient(baseUrl).loginRequest({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user },
    password,
  });
  return { userId: answer.user_id, deviceId: answer.device_id, accessToken: answer.access_token };
}

/** Rejects after {@link PATIENCE_MS}, saying what was waited for. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS} ms for ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves as soon as `look` gives something, which is asked after every event that the client emits by one of `names`. */
export function eventually<T>(
  client: MatrixClient,
  what: string,
  look: () => T | null | undefined | false,
): Promise<T> {
  const names = [
    ClientEvent.Sync,
    ClientEvent.AccountData,
    ClientEvent.Room,
    MatrixEventEvent.Decrypted,
    RoomEvent.Timeline,
    RoomEvent.MyMembership,
    RoomEvent.Receipt,
    RoomEvent.Tags,
    RoomEvent.AccountData,
    RoomEvent.Redaction,
    RoomMemberEvent.Typing,
    RoomMemberEvent.Membership,
    RoomStateEvent.Events,
    UserEvent.DisplayName,
    UserEvent.AvatarUrl,
  ] satisfies EmittedEvents[];
  const waiting = new Promise<T>((resolve) => {
    const check = (): void => {
      const found = look();
      if (found === null || found === undefined || found === false) return;
      for (const name of names) client.off(name, check);
      resolve(found);
    };
    for (const name of names) client.on(name, check);
    check();
  });
  return within(what, waiting);
}

/** Starts syncing and waits for the first answer. */
export async function startSyncing(client: MatrixClient, initialSyncLimit = 20): Promise<void> {
  await client.startClient({ initialSyncLimit, lazyLoadMembers: false });
  await eventually(client, 'the first sync', () => client.getSyncState() === SyncState.Syncing);
}

/** The texts of a room's live timeline, oldest first. */
export function textsOf(room: Room): string[] {
  return room
    .getLiveTimeline()
    .getEvents()
    .filter((event: MatrixEvent) => event.getType() === 'm.room.message')
    .map((event: MatrixEvent) => String(event.getContent()['body'] ?? ''));
}
