import { Type } from 'typebox';
import type { LoggedIn, WantedDevice } from '../../../../actors/accounts/protocol.ts';
import { fitsInBytes } from '../../../matrix/identifiers/brand.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** The longest device id that is accepted, in bytes of UTF-8. */
export const DEVICE_ID_BYTES_MAX = 255;
/** The longest device name that is accepted, in bytes of UTF-8. */
export const DEVICE_NAME_BYTES_MAX = 512;

/** Fields of a body that say on which device somebody logs in. */
export const DEVICE_FIELDS = {
  device_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  initial_device_display_name: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  refresh_token: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
};

/** Fields of an answer that a client gets with its access token. */
export const TOKEN_FIELDS = {
  refresh_token: Type.Optional(Type.String()),
  expires_in_ms: Type.Optional(Type.Integer()),
};

/** The refresh token, and how long the access token lives, where it does not live until it is revoked. */
export function toTokenFields({ refreshToken, expiresInMs }: LoggedIn): {
  refresh_token?: string;
  expires_in_ms?: number;
} {
  if (refreshToken === null || expiresInMs === null) return {};
  return { refresh_token: refreshToken, expires_in_ms: expiresInMs };
}

/** Refuses the name of a device with M_INVALID_PARAM when it is too long. */
export function checkDeviceName(name: string): Refusal | undefined {
  if (fitsInBytes(name, DEVICE_NAME_BYTES_MAX)) return undefined;
  return refuse('M_INVALID_PARAM', `The name of a device has at most ${DEVICE_NAME_BYTES_MAX} bytes.`);
}

/** The device that a body asks for; refuses with M_INVALID_PARAM. */
export function parseWantedDevice(body: {
  readonly device_id?: string | null;
  readonly initial_device_display_name?: string | null;
  readonly refresh_token?: boolean | null;
}): WantedDevice | Refusal {
  const deviceId = body.device_id ?? null;
  const name = body.initial_device_display_name ?? null;
  if (deviceId !== null && (deviceId === '' || !fitsInBytes(deviceId, DEVICE_ID_BYTES_MAX))) {
    return refuse('M_INVALID_PARAM', `The field "device_id" has 1 to ${DEVICE_ID_BYTES_MAX} bytes.`);
  }
  const problem = name === null ? undefined : checkDeviceName(name);
  const isRefreshable = body.refresh_token ?? false;
  return problem ?? { deviceId, initialDeviceDisplayName: name, isRefreshable };
}
