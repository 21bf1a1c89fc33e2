import { type Static, Type } from 'typebox';
import type { NewPusher } from '../../../../actors/push/protocol.ts';
import type { StoredPusher } from '../../../../db/push/pusher-reader.ts';
import type { Json, JsonObject } from '../../../kit/json.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** The longest pushkey and app id. Client-Server API v1.19, `POST /pushers/set`. */
export const PUSHKEY_BYTES_MAX = 512;
export const APP_ID_CHARACTERS_MAX = 64;
/** Everything else that a client says about a pusher, in bytes. */
export const PUSHER_BYTES_MAX = 16_384;

/** Where every gateway listens. Push Gateway API v1.19. */
export const GATEWAY_PATH = '/_matrix/push/v1/notify';

/** The body of `POST /pushers/set`. */
export const PUSHER_BODY = Type.Object({
  pushkey: Type.String({ minLength: 1 }),
  app_id: Type.String({ minLength: 1 }),
  kind: Type.Union([Type.String(), Type.Null()]),
  app_display_name: Type.Optional(Type.String()),
  device_display_name: Type.Optional(Type.String()),
  profile_tag: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  lang: Type.Optional(Type.String()),
  data: Type.Optional(ANY_OBJECT),
  append: Type.Optional(Type.Boolean()),
});

type Body = Static<typeof PUSHER_BODY>;

function invalid(error: string): Refusal {
  return refuse('M_INVALID_PARAM', error);
}

/** Refused when the URL is not one of a gateway: https, and the path that every gateway has. Plain http where `allowHttp` says so. */
function checkUrl(url: Json | undefined, allowHttp: boolean): Refusal | undefined {
  if (url === undefined) return refuse('M_MISSING_PARAM', 'Missing parameters: data.url');
  if (typeof url !== 'string' || !URL.canParse(url)) return invalid('data.url: not a URL');
  const { protocol, pathname, username, password } = new URL(url);
  if (protocol !== 'https:' && !(allowHttp && protocol === 'http:')) return invalid('data.url: not https');
  if (pathname !== GATEWAY_PATH) return invalid(`data.url: its path is not ${GATEWAY_PATH}`);
  return username === '' && password === ''
    ? undefined
    : invalid('data.url: it holds a user name or a password');
}

/** Refused when the names are too long. */
export function checkNames({
  app_id: appId,
  pushkey,
}: Pick<Body, 'app_id' | 'pushkey'>): Refusal | undefined {
  if (appId.length > APP_ID_CHARACTERS_MAX)
    return invalid(`app_id: more than ${APP_ID_CHARACTERS_MAX} characters`);
  return Buffer.byteLength(pushkey) <= PUSHKEY_BYTES_MAX
    ? undefined
    : invalid(`pushkey: more than ${PUSHKEY_BYTES_MAX} bytes`);
}

/**
 * A pusher out of what a client sent.
 * Client-Server API v1.19, `POST /pushers/set`; `enabled` of MSC3881.
 *
 * @param allowHttp gateways without TLS are allowed
 * @returns refused with 400 M_MISSING_PARAM or M_INVALID_PARAM
 */
export function parsePusher(
  body: Body,
  owner: { readonly userId: string; readonly deviceId: string },
  allowHttp: boolean,
): NewPusher | Refusal {
  const { app_display_name: appName, device_display_name: deviceName, lang, data } = body;
  const required = { app_display_name: appName, device_display_name: deviceName, lang, data };
  const missing = Object.entries(required).flatMap(([name, value]) => (value === undefined ? [name] : []));
  if (appName === undefined || deviceName === undefined || lang === undefined || data === undefined)
    return refuse('M_MISSING_PARAM', `Missing parameters: ${missing.join(', ')}`);
  if (body.kind !== 'http') return invalid('kind: this server knows "http" and no other');
  const enabled =
    (body as JsonObject)['org.matrix.msc3881.enabled'] ?? (body as JsonObject)['enabled'] ?? true;
  if (typeof enabled !== 'boolean') return invalid('enabled: neither true nor false');
  const wrong = checkNames(body) ?? checkUrl((data as JsonObject)['url'], allowHttp);
  if (wrong !== undefined) return wrong;
  const text = JSON.stringify(data);
  if (Buffer.byteLength(text + appName + deviceName + lang + (body.profile_tag ?? '')) > PUSHER_BYTES_MAX)
    return invalid(`a pusher has at most ${PUSHER_BYTES_MAX} bytes`);
  return {
    userId: owner.userId,
    deviceId: owner.deviceId,
    appId: body.app_id,
    pushkey: body.pushkey,
    kind: 'http',
    appDisplayName: appName,
    deviceDisplayName: deviceName,
    profileTag: body.profile_tag ?? null,
    lang,
    data: text,
    isEnabled: enabled,
  };
}

/** A pusher as clients get it; `enabled` and `device_id` of MSC3881. */
export function toClientPusher(pusher: StoredPusher): JsonObject {
  const isEnabled = pusher.isEnabled === 1;
  return {
    app_id: pusher.appId,
    pushkey: pusher.pushkey,
    kind: pusher.kind,
    app_display_name: pusher.appDisplayName,
    device_display_name: pusher.deviceDisplayName,
    lang: pusher.lang,
    data: JSON.parse(pusher.data) as JsonObject,
    ...(pusher.profileTag === null ? {} : { profile_tag: pusher.profileTag }),
    'org.matrix.msc3881.enabled': isEnabled,
    'org.matrix.msc3881.device_id': pusher.deviceId,
  };
}
