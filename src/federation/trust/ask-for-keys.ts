import { type JsonObject, isJsonObject } from '../../kit/json.ts';
import { verifyJson } from '../../matrix/signing.ts';
import type { FederationClient } from '../federation-client.ts';
import { type KeyDocument, type PublishedKey, readKeyDocument } from './key-document.ts';

/** How long a server may take to say which keys there are, in milliseconds. */
export const FETCH_TIMEOUT_MS = 10_000;
/** What a server says of its own keys, in bytes: it is kept, and anybody can be a server. */
export const KEY_DOCUMENT_BYTES_MAX = 65_536;
/** The largest answer of a notary, in bytes. */
const NOTARY_ANSWER_BYTES_MAX = 4 * 1_048_576;
/** How many servers a notary is asked about in one request. */
export const NOTARY_SERVERS_MAX = 100;

/** Keys of one server that are needed. */
export interface KeysWanted {
  readonly serverName: string;
  /** By id, when they must be valid, milliseconds since the Unix epoch; empty for whatever there is. */
  readonly keys: ReadonlyMap<string, number>;
}

/** A server that is trusted with what others publish about their keys. */
export interface Notary {
  readonly name: string;
  /** Its own, by id. */
  readonly keys: ReadonlyMap<string, PublishedKey>;
}

/**
 * Asks a server for its keys. Server-Server API v1.19, `GET /_matrix/key/v2/server`.
 *
 * @param isCalling it is asking us something at this moment: it is there, even if it counts as out of reach
 * @returns undefined when they cannot be had
 */
export async function askServer(
  client: FederationClient,
  serverName: string,
  isCalling: boolean,
): Promise<KeyDocument | undefined> {
  const answer = await client.request({
    destination: serverName,
    method: 'GET',
    path: '/_matrix/key/v2/server',
    timeoutMs: FETCH_TIMEOUT_MS,
    answerBytesMax: KEY_DOCUMENT_BYTES_MAX,
    isSigned: false,
    isProbe: isCalling,
  });
  return answer.kind === 'answered' ? readKeyDocument(answer.body, serverName) : undefined;
}

function isSignedBy({ name, keys }: Notary, document: JsonObject): boolean {
  return [...keys.values()].some((key) => !key.isOld && verifyJson(document, name, key, 'lenient'));
}

function queryOf({ keys }: KeysWanted): JsonObject {
  return Object.fromEntries(
    [...keys].map(([keyId, validAtTs]) => [
      keyId,
      validAtTs === 0 ? {} : { minimum_valid_until_ts: Math.trunc(validAtTs) },
    ]),
  );
}

/**
 * Asks a notary for the keys of servers. Its word counts when it has signed it, beside the server itself; it may have several documents of one
 * server, made at different times. Server-Server API v1.19, `POST /_matrix/key/v2/query`.
 *
 * @param wanted at most {@link NOTARY_SERVERS_MAX}
 * @returns of those servers alone, as many as it knows
 */
export async function askNotary(
  client: FederationClient,
  notary: Notary,
  wanted: readonly KeysWanted[],
): Promise<readonly KeyDocument[]> {
  if (notary.keys.size === 0) return [];
  const names = new Set(wanted.map(({ serverName }) => serverName));
  const answer = await client.request({
    destination: notary.name,
    method: 'POST',
    path: '/_matrix/key/v2/query',
    body: { server_keys: Object.fromEntries(wanted.map((one) => [one.serverName, queryOf(one)])) },
    timeoutMs: FETCH_TIMEOUT_MS,
    answerBytesMax: NOTARY_ANSWER_BYTES_MAX,
    isSigned: false,
  });
  const listed = answer.kind === 'answered' ? answer.body['server_keys'] : undefined;
  if (!Array.isArray(listed)) return [];
  return listed.flatMap((json: unknown) => {
    const name = isJsonObject(json) ? json['server_name'] : undefined;
    if (!isJsonObject(json) || typeof name !== 'string' || !names.has(name)) return [];
    const document = readKeyDocument(json, name);
    return document !== undefined && isSignedBy(notary, json) ? [document] : [];
  });
}
