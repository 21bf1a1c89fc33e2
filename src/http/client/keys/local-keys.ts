import type { ReadDb } from '../../../../db/kit/read-db.ts';
import {
  readCrossSigningKeys,
  readDeviceKeys,
  readSignatures,
  type StoredCrossSigningKey,
  type StoredDeviceKeys,
  type StoredSignature,
} from '../../../../db/keys/reader.ts';
import { isJsonObject, type JsonObject } from '../../../kit/json.ts';

/** Users whose keys are read with one statement. */
const USERS_PER_READ = 100;

/** Whose keys are wanted. */
export interface KeysWanted {
  /** Device ids by user id; an empty list stands for all devices of the user. */
  readonly devices: ReadonlyMap<string, readonly string[]>;
  /** Who asks: sees its own user-signing key, and the signatures that it has made. */
  readonly askedBy: string;
  /** Whether others see the names of devices. */
  readonly sharesDeviceNames: boolean;
}

type ByUser = Record<string, JsonObject>;

/** The keys of users of this server, in the form of `POST /_matrix/client/v3/keys/query`. */
export interface LocalKeys {
  readonly device_keys: ByUser;
  readonly master_keys: ByUser;
  readonly self_signing_keys: ByUser;
  readonly user_signing_keys: ByUser;
}

/** An object with the signatures that were added to it. */
export function withSignatures(object: JsonObject, added: readonly StoredSignature[]): JsonObject {
  if (added.length === 0) return object;
  const own = isJsonObject(object['signatures']) ? object['signatures'] : {};
  const signatures = new Map(Object.entries(own));
  for (const { signerUserId, signerKeyId, signature } of added) {
    const bySigner = signatures.get(signerUserId);
    signatures.set(signerUserId, { ...(isJsonObject(bySigner) ? bySigner : {}), [signerKeyId]: signature });
  }
  return { ...object, signatures: Object.fromEntries(signatures) };
}

function deviceOf(
  stored: StoredDeviceKeys,
  wanted: KeysWanted,
  signatures: readonly StoredSignature[],
): JsonObject {
  const { userId, displayName } = stored;
  const keys = withSignatures(JSON.parse(stored.keys) as JsonObject, signatures);
  const isShown = displayName !== null && (wanted.sharesDeviceNames || userId === wanted.askedBy);
  return isShown ? { ...keys, unsigned: { device_display_name: displayName } } : keys;
}

function addCrossSigningKey(
  keys: LocalKeys,
  stored: StoredCrossSigningKey,
  signatures: readonly StoredSignature[],
  askedBy: string,
): void {
  const { userId, usage } = stored;
  const key = JSON.parse(stored.key) as JsonObject;
  if (usage === 'master') keys.master_keys[userId] = withSignatures(key, signatures);
  if (usage === 'self_signing') keys.self_signing_keys[userId] = key;
  if (usage === 'user_signing' && userId === askedBy) keys.user_signing_keys[userId] = key;
}

async function addKeysOf(
  db: ReadDb,
  userIds: readonly string[],
  wanted: KeysWanted,
  keys: LocalKeys,
): Promise<void> {
  const [devices, crossSigning, signatures] = await db.snapshot(async (snapshot) => [
    await readDeviceKeys(snapshot, userIds),
    await readCrossSigningKeys(snapshot, userIds),
    await readSignatures(snapshot, userIds, wanted.askedBy),
  ]);
  const nameOf = (userId: string, keyId: string): string => `${userId} ${keyId}`;
  const byKey = Map.groupBy(signatures, (item) => nameOf(item.targetUserId, item.targetKeyId));
  const byUser = Map.groupBy(devices, ({ userId }) => userId);
  for (const userId of userIds) {
    const only = new Set(wanted.devices.get(userId));
    const shown = (byUser.get(userId) ?? []).filter(({ deviceId }) => only.size === 0 || only.has(deviceId));
    // An entry for everybody, those without devices included: clients ask again and again for whom the answer leaves out.
    keys.device_keys[userId] = Object.fromEntries(
      shown.map((device) => [
        device.deviceId,
        deviceOf(device, wanted, byKey.get(nameOf(userId, device.deviceId)) ?? []),
      ]),
    );
  }
  for (const key of crossSigning)
    addCrossSigningKey(keys, key, byKey.get(nameOf(key.userId, key.publicKey)) ?? [], wanted.askedBy);
}

/**
 * Reads the keys of users of this server.
 * Client-Server API v1.19, `POST /_matrix/client/v3/keys/query`.
 *
 * @param takeTurn called now and then, so that a long answer gives way to others
 */
export async function readLocalKeys(
  db: ReadDb,
  wanted: KeysWanted,
  takeTurn: () => Promise<void>,
): Promise<LocalKeys> {
  const keys: LocalKeys = { device_keys: {}, master_keys: {}, self_signing_keys: {}, user_signing_keys: {} };
  const userIds = [...wanted.devices.keys()];
  for (let from = 0; from < userIds.length; from += USERS_PER_READ) {
    await addKeysOf(db, userIds.slice(from, from + USERS_PER_READ), wanted, keys);
    await takeTurn();
  }
  return keys;
}
