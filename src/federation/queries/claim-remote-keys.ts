import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import type { FederationClient } from '../federation-client.ts';
import { doAtOnce } from './at-once.ts';
import { failureOf } from './failure.ts';

/** Servers that are asked at the same time for one request. */
const SERVERS_AT_ONCE_MAX = 32;

/** Algorithms by device id. */
export type WantedKeys = Readonly<Record<string, string>>;

/** What other servers handed out. */
export interface RemoteClaim {
  /** By user id and device id: `<algorithm>:<key id>` → key. */
  readonly keys: ReadonlyMap<string, Readonly<Record<string, JsonObject>>>;
  /** By server name. */
  readonly failures: ReadonlyMap<string, JsonObject>;
}

/** The one key of a device that was asked for; undefined for anything else. */
function keyOf(given: Json | undefined, algorithm: string): JsonObject | undefined {
  if (!isJsonObject(given)) return undefined;
  const entry = Object.entries(given).find(([name]) => name.startsWith(`${algorithm}:`));
  return entry === undefined ? undefined : Object.fromEntries([entry]);
}

function ownEntry(object: Json | undefined, name: string): Json | undefined {
  return isJsonObject(object) && Object.hasOwn(object, name) ? object[name] : undefined;
}

/**
 * Claims keys of other servers' devices, of each server with one request, which is never sent twice: a key that was handed out is gone, heard or
 * not. What was not asked for is not believed. Server-Server API v1.19, `POST /_matrix/federation/v1/user/keys/claim`.
 *
 * @param wanted by server name and user id
 * @param timeoutMs how long a server may take
 */
export async function claimRemoteKeys(
  client: FederationClient,
  wanted: ReadonlyMap<string, ReadonlyMap<string, WantedKeys>>,
  timeoutMs: number,
): Promise<RemoteClaim> {
  const keys = new Map<string, Readonly<Record<string, JsonObject>>>();
  const failures = new Map<string, JsonObject>();
  await doAtOnce([...wanted], SERVERS_AT_ONCE_MAX, async ([destination, users]) => {
    const answer = await client.request({
      destination,
      method: 'POST',
      path: '/_matrix/federation/v1/user/keys/claim',
      body: { one_time_keys: Object.fromEntries(users) },
      timeoutMs,
    });
    if (answer.kind !== 'answered') {
      failures.set(destination, failureOf(answer));
      return;
    }
    for (const [userId, devices] of users) {
      const ofUser = ownEntry(answer.body['one_time_keys'], userId);
      const claimed = Object.entries(devices).flatMap(([deviceId, algorithm]) => {
        const key = keyOf(ownEntry(ofUser, deviceId), algorithm);
        return key === undefined ? [] : [[deviceId, key] as const];
      });
      if (claimed.length > 0) keys.set(userId, Object.fromEntries(claimed));
    }
  });
  return { keys, failures };
}
