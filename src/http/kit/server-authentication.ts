import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { reachCache } from '../../federation/client/reachability.ts';
import { type XMatrix, parseXMatrix, verifyXMatrix } from '../../federation/x-matrix.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Json } from '../../kit/json.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';
import { type VerifyKey, parseVerifyKey } from '../../matrix/signing.ts';
import type { ServerCaller } from './endpoint.ts';
import type { Services } from './services.ts';

/** Keys of other servers that a thread remembers: what it has checked a request with. */
export const REQUEST_KEYS_MAX = 10_000;
/** How often the sender is told that a server was heard, in milliseconds. */
export const HEARD_NOTE_EVERY_MS = 60_000;
/** Servers whose last note is remembered. */
const HEARD_SERVERS_MAX = 10_000;
/** How many signatures of one request are looked at. */
const SIGNATURES_TRIED_MAX = 5;

/** How long a key is believed that was not asked for again, in milliseconds: so long a retired one may go on here. */
export const KEY_REMEMBERED_MS = 60 * 60 * 1_000;

/** What a request says of itself: signatures of one server for this one. */
export type Claims = readonly [XMatrix, ...XMatrix[]];

/** Finds out which server is calling. */
export interface ServerAuthentication {
  /** What a request says of itself, before its body is read; refused with 401 `M_UNAUTHORIZED` when that is nothing, or not for this server. */
  claimsOf(request: IncomingMessage): Claims | Refusal;
  /**
   * @param signed the JSON body; undefined when there is none
   * @returns the server, or a refusal: 401 `M_UNAUTHORIZED`. Server-Server API v1.19, "Request Authentication"
   */
  authenticate(
    request: IncomingMessage,
    claims: Claims,
    signed: { readonly content: Json; readonly contentText: string } | undefined,
  ): Promise<ServerCaller | Refusal>;
}

interface KnownKey {
  readonly key: VerifyKey;
  /** Milliseconds since the Unix epoch. */
  readonly untilTs: number;
}

function unauthorized(why: string): Refusal {
  return refuse('M_UNAUTHORIZED', why);
}

function readClaims(request: IncomingMessage, serverName: string): Claims | Refusal {
  const headers = request.headersDistinct['authorization'] ?? [];
  if (headers.length === 0) return unauthorized('An X-Matrix authorization header is needed.');
  // A server with several keys sends one header for each; those of other schemes are not its signatures.
  const claims = headers
    .slice(0, SIGNATURES_TRIED_MAX)
    .map((header) => parseXMatrix(header))
    .filter((claim) => claim !== undefined);
  const [first, ...others] = claims;
  if (first === undefined)
    return unauthorized('The authorization header is not X-Matrix with origin, key and sig.');
  if (others.some(({ origin }) => origin !== first.origin))
    return unauthorized('The authorization headers name several servers.');
  if (first.origin === serverName) return unauthorized('A server does not call itself.');
  if (claims.some(({ destination }) => (destination ?? serverName) !== serverName))
    return unauthorized('The request is for another server.');
  return [first, ...others];
}

/** @param services the whole of them: `server-keys` and `federation-sender` are asked */
export function createServerAuthentication(services: Services, clock: Clock): ServerAuthentication {
  const keys = new LRUCache<string, KnownKey>({ max: REQUEST_KEYS_MAX });
  const heard = new LRUCache<string, number>({ max: HEARD_SERVERS_MAX });

  async function findKey(serverName: string, keyId: string): Promise<VerifyKey | undefined> {
    const name = `${serverName} ${keyId}`;
    const now = clock.now();
    const known = keys.get(name);
    if (known !== undefined && known.untilTs >= now) return known.key;
    const wanted = [{ serverName, keyId, validAtTs: now }];
    const { found } = await services['server-keys'].ask('server-keys.find-keys', { wanted, isCalling: true });
    const [one] = found;
    const key = one === undefined ? undefined : parseVerifyKey(one.keyId, one.publicKey);
    if (one === undefined || key === undefined || one.validUntilTs < now) return undefined;
    keys.set(name, { key, untilTs: Math.min(one.validUntilTs, now + KEY_REMEMBERED_MS) });
    return key;
  }

  async function noteHeard(serverName: string): Promise<void> {
    const now = clock.monotonic();
    const last = heard.get(serverName);
    const isLate = last === undefined || now - last >= HEARD_NOTE_EVERY_MS;
    // Who counts as out of reach and asks is back: what waits for it shall not wait for the next note.
    if (!isLate && (await services.cached.get(reachCache, serverName)) === null) return;
    heard.set(serverName, now);
    services['federation-sender'].tell('federation-sender.note-heard', { serverName });
  }

  return {
    claimsOf: (request) => readClaims(request, services.config.server.name),
    async authenticate(request, claims, signed) {
      const asked = { method: request.method ?? 'GET', uri: request.url ?? '/', ...signed };
      let isKeyKnown = false;
      for (const claim of claims) {
        const key = await findKey(claim.origin, claim.keyId);
        isKeyKnown ||= key !== undefined;
        if (key === undefined || !verifyXMatrix(claim, asked, key)) continue;
        await noteHeard(claim.origin);
        return { serverName: claim.origin };
      }
      return unauthorized(
        isKeyKnown
          ? 'The signature of the request is wrong.'
          : 'The signing key of the server cannot be had.',
      );
    },
  };
}
