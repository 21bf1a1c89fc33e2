import { isJsonObject, type Json, type JsonObject } from '../../../src/kit/json.ts';
import type { HttpAnswer } from '../../support/http-client.ts';
import { cryptoDevice } from '../../support/crypto-device.ts';
import { pathOf } from '../../support/http-client.ts';
import { okBody, textOf } from '../../support/person.ts';
import type { LiveWorld } from './live-world.ts';

/** How an option is seen to take effect. */
export interface LiveCase {
  /** Values as the environment has them, one after the other, and what is seen then; PEER stands for the name of the server beside it. */
  readonly values: readonly (readonly [toml: string, expected: Json])[];
  /** Variables that have to be there as well. */
  readonly with?: Readonly<Record<string, string>>;
  readonly see: (world: LiveWorld) => Promise<Json>;
}

export const CLIENT = '/_matrix/client/v3';
const UNCHECKED = { uncheckedBecause: 'only one field of it is looked at' };
const PASSWORD = 'open sesame 42';

/** A value inside of a body. */
export function at(body: Json, ...path: readonly string[]): Json {
  return path.reduce<Json>((value, key) => (isJsonObject(value) ? (value[key] ?? null) : null), body);
}

/** Sees one value of an answer to GET. */
export function field(path: string, ...keys: readonly string[]): LiveCase['see'] {
  return async ({ ann }) => at((await ann.http.get(path)).body, ...keys);
}

export function login(
  { http, ann }: LiveWorld,
  more: JsonObject = {},
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  const identifier = { type: 'm.id.user', user: ann.userId };
  const body = { type: 'm.login.password', identifier, password: PASSWORD, ...more };
  return http.post(`${CLIENT}/login`, body, { token: null, headers });
}

/** The second of two requests, with a bucket of one and with one of many. */
export function limited(send: (world: LiveWorld) => Promise<HttpAnswer>): LiveCase {
  return {
    with: { TROUPE_RATE_LIMITS_ENABLED: 'true' },
    values: [
      ['{ per_second = 0.0001, burst = 1 }', 429],
      ['{ per_second = 1000, burst = 1000 }', 200],
    ],
    async see(world) {
      await send(world);
      const { status } = await send(world);
      // Which answer it is does not matter here, as long as it is none of the rate limit.
      return status === 429 ? 429 : 200;
    },
  };
}

export const TERMS = { TROUPE_REGISTRATION_TERMS_URL: 'https://example.org/terms' };

/** Does the first answer to who wants to register say so? */
export function showsTerms(part: string): LiveCase['see'] {
  return async ({ http }) => (await http.post(`${CLIENT}/register`, {}, { token: null })).text.includes(part);
}

export async function statusOfPreview({ ann, pageUrl, next }: LiveWorld): Promise<Json> {
  const { status } = await ann.http.get('/_matrix/client/v1/media/preview_url', {
    query: { url: `${pageUrl}/${next()}` },
  });
  return status;
}

export const voip = (key: string): LiveCase['see'] => field(`${CLIENT}/voip/turnServer`, key);
export const TURN_USER = { TROUPE_VOIP_TURN_USER: 'u', TROUPE_VOIP_TURN_PASSWORD: 'p' };
export const TURN = { ...TURN_USER, TROUPE_VOIP_TURN_URIS: '["turn:turn.example.org"]' };

/** Does an answer of the peer's media come through? */
export async function statusOfRemoteMedia({ ann, peer, next }: LiveWorld): Promise<Json> {
  const { status } = await ann.http.get(
    pathOf`/_matrix/client/v1/media/download/${peer.serverName}/media${String(next())}`,
  );
  return status;
}

const MEDIA_REQUEST = '/_matrix/federation/v1/media/download/';

/** How often the peer is asked for two files that are wanted twice. */
export async function remoteRequests({ ann, peer, next }: LiveWorld): Promise<Json> {
  const before = peer.requests.length;
  const ids = [`kept${next()}`, `kept${next()}`];
  for (const id of [...ids, ...ids])
    await ann.http.get(pathOf`/_matrix/client/v1/media/download/${peer.serverName}/${id}`);
  return peer.requests.slice(before).filter(({ path }) => path.startsWith(MEDIA_REQUEST)).length;
}

export const notaryRequests = async ({ http, peer, next }: LiveWorld): Promise<Json> => {
  const before = peer.requests.length;
  // A server that is nowhere: whoever has to know its keys asks the notaries.
  await http.get(`/_matrix/key/v2/query/127.0.0.1:${next()}`, { ...UNCHECKED, token: null });
  return peer.requests.slice(before).some(({ path }) => path === '/_matrix/key/v2/query');
};

export async function publishStatus({ bob }: LiveWorld): Promise<Json> {
  const path = pathOf`/_matrix/client/v3/directory/list/room/${await bob.createRoom()}`;
  return (await bob.http.put(path, { visibility: 'public' })).status;
}

export async function findsStranger({ ann }: LiveWorld): Promise<Json> {
  const { body } = await ann.http.post(`${CLIENT}/user_directory/search`, { search_term: 'carol' });
  return (at(body, 'results') as Json[]).length;
}

/** The name of a device of Bob's, as Ann is told it. */
export async function deviceName({ ann, bob }: LiveWorld): Promise<Json> {
  const { body: who } = await bob.http.get(`${CLIENT}/account/whoami`);
  const deviceId = textOf(who as JsonObject, 'device_id');
  await bob.http.post(`${CLIENT}/keys/upload`, { device_keys: cryptoDevice(bob.userId, deviceId).keys });
  await bob.http.put(pathOf`/_matrix/client/v3/devices/${deviceId}`, { display_name: 'The phone' });
  const { body } = await ann.http.post(`${CLIENT}/keys/query`, { device_keys: { [bob.userId]: [] } });
  return at(body, 'device_keys', bob.userId, deviceId, 'unsigned', 'device_display_name');
}

export async function pusherStatus({ ann, next }: LiveWorld): Promise<Json> {
  const data = { url: 'http://127.0.0.1:1/_matrix/push/v1/notify' };
  const pusher = {
    app_id: 'a',
    app_display_name: 'A',
    device_display_name: 'D',
    kind: 'http',
    lang: 'en',
    data,
  };
  return (await ann.http.post(`${CLIENT}/pushers/set`, { ...pusher, pushkey: `key${next()}` })).status;
}

export async function loginTokenLifetime({ ann }: LiveWorld): Promise<Json> {
  const path = '/_matrix/client/v1/login/get_token';
  const { body: challenge } = await ann.http.post(path, {});
  const identifier = { type: 'm.id.user', user: ann.userId };
  const session = at(challenge, 'session');
  const auth = { type: 'm.login.password', identifier, password: PASSWORD, session };
  return at((await ann.http.post(path, { auth })).body, 'expires_in_ms');
}

/** Whether requests of two clients behind two proxies are counted together. */
export async function secondStatus({ http, next }: LiveWorld): Promise<Json> {
  const ask = async (): Promise<number> => {
    const headers = { 'X-Forwarded-For': `192.0.2.${next() % 250}, 10.0.0.5` };
    const query = { username: 'free' };
    return (await http.get(`${CLIENT}/register/available`, { token: null, headers, query })).status;
  };
  await ask();
  return ask();
}

export async function legacyStatus({ http, ann, serverName }: LiveWorld): Promise<Json> {
  const upload = await ann.http.request('POST', '/_matrix/media/v3/upload', {
    rawBody: 'hello',
    headers: { 'Content-Type': 'text/plain' },
  });
  const uri = textOf(okBody(upload, 'upload'), 'content_uri');
  const id = uri.split('/').at(-1) ?? '';
  return (await http.get(pathOf`/_matrix/media/v3/download/${serverName}/${id}`, { token: null })).status;
}
