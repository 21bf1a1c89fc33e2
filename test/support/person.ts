import type { Json, JsonObject } from '../../src/kit/json.ts';
import { createHttpClient, type HttpAnswer, type HttpClient, pathOf } from './http-client.ts';

const PASSWORD = 'open sesame 42';

/** An event as clients see it. */
export interface SeenEvent {
  readonly event_id: string;
  readonly type: string;
  readonly state_key?: string;
  readonly sender: string;
  readonly content: JsonObject;
}

interface SyncedRoom {
  readonly timeline?: { readonly events: readonly SeenEvent[]; readonly limited?: boolean };
  readonly state?: { readonly events: readonly SeenEvent[] };
  readonly ephemeral?: {
    readonly events: readonly { readonly type: string; readonly content: JsonObject }[];
  };
}

/** What stands in an answer of `/sync`. */
export interface Synced {
  readonly next_batch: string;
  readonly rooms?: {
    readonly join?: Readonly<Record<string, SyncedRoom>>;
    readonly invite?: Readonly<Record<string, JsonObject>>;
    readonly leave?: Readonly<Record<string, SyncedRoom>>;
  };
}

/** Somebody who is logged in and does things over plain HTTP. What fails throws with the whole answer, unless the name says "try". */
export interface Person {
  readonly userId: string;
  readonly token: string;
  readonly http: HttpClient;
  /** The same person over another connection. */
  over(http: HttpClient): Person;
  createRoom(body?: JsonObject): Promise<string>;
  invite(roomId: string, userId: string): Promise<void>;
  join(roomId: string): Promise<void>;
  leave(roomId: string): Promise<void>;
  trySend(roomId: string, txnId: string, text: string): Promise<HttpAnswer>;
  /** @returns the id of the event */
  send(roomId: string, txnId: string, text: string): Promise<string>;
  type(roomId: string, isTyping: boolean, timeoutMs?: number): Promise<void>;
  receipt(roomId: string, eventId: string): Promise<void>;
  sync(since?: string, timeoutMs?: number, signal?: AbortSignal): Promise<Synced>;
  /** The texts of all messages of a room, oldest first, by paging through `/messages`. */
  readAll(roomId: string): Promise<string[]>;
}

/** A field that holds a text. */
export function textOf(body: JsonObject, field: string): string {
  const value = body[field];
  if (typeof value !== 'string') throw new Error(`${field} is no text: ${JSON.stringify(body)}`);
  return value;
}

/** The body of an answer that must be 200. */
export function okBody(answer: HttpAnswer, what: string): JsonObject {
  if (answer.status !== 200) throw new Error(`${what} gave ${answer.status} ${answer.text}`);
  return answer.body as JsonObject;
}

async function readPages(http: HttpClient, roomId: string): Promise<string[]> {
  const texts: string[] = [];
  let from: string | undefined;
  do {
    const query = { dir: 'f', limit: 500, ...(from === undefined ? {} : { from }) };
    const page = okBody(
      await http.get(pathOf`/_matrix/client/v3/rooms/${roomId}/messages`, { query }),
      '/messages',
    );
    for (const event of page['chunk'] as unknown as readonly SeenEvent[])
      if (event.type === 'm.room.message') texts.push(textOf(event.content, 'body'));
    from = page['end'] as string | undefined;
  } while (from !== undefined);
  return texts;
}

/** Makes a person of credentials that exist. */
export function personOf(http: HttpClient, userId: string, token: string): Person {
  const own = http.withToken(token);
  const room = (roomId: string, verb: string): string =>
    `${pathOf`/_matrix/client/v3/rooms/${roomId}`}/${verb}`;
  const post = async (path: string, body: Json = {}): Promise<JsonObject> =>
    okBody(await own.post(path, body), path);
  const trySend: Person['trySend'] = (roomId, txnId, text) =>
    own.put(`${room(roomId, 'send/m.room.message')}/${txnId}`, { msgtype: 'm.text', body: text });
  return {
    userId,
    token,
    http: own,
    over: (other) => personOf(other, userId, token),
    async createRoom(body = {}) {
      return textOf(await post('/_matrix/client/v3/createRoom', body), 'room_id');
    },
    invite: async (roomId, invited) => void (await post(room(roomId, 'invite'), { user_id: invited })),
    join: async (roomId) => void (await post(room(roomId, 'join'))),
    leave: async (roomId) => void (await post(room(roomId, 'leave'))),
    trySend,
    async send(roomId, txnId, text) {
      return textOf(okBody(await trySend(roomId, txnId, text), `send ${txnId}`), 'event_id');
    },
    async type(roomId, isTyping, timeoutMs = 60_000) {
      const body = isTyping ? { typing: true, timeout: timeoutMs } : { typing: false };
      okBody(await own.put(room(roomId, pathOf`typing/${userId}`), body), 'typing');
    },
    receipt: async (roomId, eventId) => void (await post(room(roomId, pathOf`receipt/m.read/${eventId}`))),
    async sync(since, timeoutMs = 0, signal) {
      // Otherwise a sync would wake itself by bringing its user online.
      const query = {
        timeout: timeoutMs,
        set_presence: 'offline',
        ...(since === undefined ? {} : { since }),
      };
      const options = signal === undefined ? { query } : { query, signal };
      return okBody(await own.get('/_matrix/client/v3/sync', options), 'sync') as unknown as Synced;
    },
    readAll: (roomId) => readPages(own, roomId),
  };
}

/** Registers somebody. */
export async function register(http: HttpClient, username: string): Promise<Person> {
  const body = okBody(
    await http.post(
      '/_matrix/client/v3/register',
      { username, password: PASSWORD, auth: { type: 'm.login.dummy' } },
      { token: null },
    ),
    `register ${username}`,
  );
  return personOf(http, textOf(body, 'user_id'), textOf(body, 'access_token'));
}

/** A client of a server that prints its address as a URL. */
export function clientOfUrl(url: string): HttpClient {
  const { hostname, port } = new URL(url);
  return createHttpClient({ host: hostname, port: Number(port) });
}

/** Lets `lengthMs` of real time pass: only between two looks at something that another process or thread does. */
export function pause(lengthMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, lengthMs));
}

const LOOK_AGAIN_MS = 20;

/** Looks until `look` gives something; a test that waits longer than `patienceMs` waits in vain. */
export async function eventually<T>(
  what: string,
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  patienceMs = 20_000,
): Promise<T> {
  const endsAt = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > endsAt) throw new Error(`waited ${patienceMs} ms for ${what}`);
    await pause(LOOK_AGAIN_MS);
  }
}
