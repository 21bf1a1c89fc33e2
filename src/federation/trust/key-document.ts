import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import {
  type ServerKey,
  type VerifyKey,
  parseVerifyKey,
  signJson,
  verifyJson,
} from '../../matrix/signing.ts';
import { encodeBase64 } from '../../matrix/events/unpadded-base64.ts';

/** How many keys of one document are read. */
export const DOCUMENT_KEYS_MAX = 100;
/** For how long this server says that its keys are good: peers ask again after half of it. */
export const OWN_KEYS_VALID_MS = 24 * 60 * 60 * 1_000;

/** A key as its server publishes it. Times are milliseconds since the Unix epoch. */
export interface PublishedKey extends VerifyKey {
  /** Of an old key: its `expired_ts`. */
  readonly validUntilTs: number;
  /** True: its server does not use it any more. */
  readonly isOld: boolean;
}

/** What a server says of its keys, with its signature checked. */
export interface KeyDocument {
  readonly serverName: string;
  readonly validUntilTs: number;
  readonly keys: readonly PublishedKey[];
  /** As it came. */
  readonly json: JsonObject;
}

function entriesOf(value: Json | undefined): readonly (readonly [string, JsonObject])[] {
  if (!isJsonObject(value)) return [];
  return Object.entries(value)
    .filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1]))
    .slice(0, DOCUMENT_KEYS_MAX);
}

function keyOf(keyId: string, { key }: JsonObject): VerifyKey | undefined {
  return typeof key === 'string' ? parseVerifyKey(keyId, key) : undefined;
}

function currentKeys(json: JsonObject, validUntilTs: number): readonly PublishedKey[] {
  return entriesOf(json['verify_keys']).flatMap(([keyId, entry]) => {
    const key = keyOf(keyId, entry);
    return key === undefined ? [] : [{ ...key, validUntilTs, isOld: false }];
  });
}

function oldKeys(json: JsonObject): readonly PublishedKey[] {
  return entriesOf(json['old_verify_keys']).flatMap(([keyId, entry]) => {
    const key = keyOf(keyId, entry);
    const expiredTs = entry['expired_ts'];
    return key === undefined || !Number.isSafeInteger(expiredTs)
      ? []
      : [{ ...key, validUntilTs: Number(expiredTs), isOld: true }];
  });
}

/**
 * Reads what a server publishes about its keys, wherever it came from. It must name the server and carry a signature by one of the keys that
 * it says are used now; keys of other algorithms are left out. Server-Server API v1.19, `GET /_matrix/key/v2/server`.
 *
 * @returns undefined for anything else
 */
export function readKeyDocument(json: JsonObject, serverName: string): KeyDocument | undefined {
  const { server_name: name, valid_until_ts: validUntilTs } = json;
  if (name !== serverName || typeof validUntilTs !== 'number' || !Number.isSafeInteger(validUntilTs))
    return undefined;
  const current = currentKeys(json, validUntilTs);
  if (!current.some((key) => verifyJson(json, serverName, key, 'lenient'))) return undefined;
  const inUse = new Set(current.map(({ keyId }) => keyId));
  const old = oldKeys(json).filter(({ keyId }) => !inUse.has(keyId));
  return { serverName, validUntilTs, keys: [...current, ...old], json };
}

/** A key of this server, as it is published. */
export interface OwnKey {
  readonly keyId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** When it was last used; null while it may sign. */
  readonly retiredTs: number | null;
}

/**
 * What this server publishes about its keys. Server-Server API v1.19, `GET /_matrix/key/v2/server`.
 *
 * @param signers the keys of `keys` that may sign now: each signs it
 * @param now milliseconds since the Unix epoch
 */
export function ownKeyDocument(
  serverName: string,
  keys: readonly OwnKey[],
  signers: readonly ServerKey[],
  now: number,
): JsonObject {
  const used: Record<string, Json> = {};
  const old: Record<string, Json> = {};
  for (const { keyId, publicKey, retiredTs } of keys) {
    const key = encodeBase64(publicKey);
    if (retiredTs === null) used[keyId] = { key };
    else old[keyId] = { key, expired_ts: retiredTs };
  }
  const unsigned: JsonObject = {
    server_name: serverName,
    verify_keys: used,
    old_verify_keys: old,
    valid_until_ts: now + OWN_KEYS_VALID_MS,
  };
  return signers.reduce((document, key) => signJson(document, serverName, key), unsigned);
}
