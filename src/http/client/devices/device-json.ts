import { Type } from 'typebox';
import type { Device } from '../../../../db/accounts/queries.ts';

/** A device as clients see it. Client-Server API v1.19, "Device Management". */
export const DeviceJson = Type.Object({
  device_id: Type.String(),
  display_name: Type.Optional(Type.String()),
  last_seen_ip: Type.Optional(Type.String()),
  last_seen_ts: Type.Optional(Type.Integer()),
});

/** Writes a device down; what is not known is left out. */
export function toDeviceJson(device: Device): {
  device_id: string;
  display_name?: string;
  last_seen_ip?: string;
  last_seen_ts?: number;
} {
  const { deviceId, displayName, lastSeenIp, lastSeenTs } = device;
  return {
    device_id: deviceId,
    ...(displayName === null ? {} : { display_name: displayName }),
    ...(lastSeenIp === null ? {} : { last_seen_ip: lastSeenIp }),
    ...(lastSeenTs === null ? {} : { last_seen_ts: lastSeenTs }),
  };
}
