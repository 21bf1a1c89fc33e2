import type { Readable } from 'node:stream';
import type { JsonObject } from '../kit/json.ts';

/** How long a peer may take to answer, when nothing else is said, in milliseconds. */
export const FEDERATION_TIMEOUT_MS = 60_000;
/** The largest answer that is read into memory when nothing else is said, in bytes. */
export const FEDERATION_ANSWER_BYTES_MAX = 10 * 1_024 * 1_024;

/** One signed request to another server. */
export interface FederationRequest {
  /** The server's name, not its address. */
  readonly destination: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Percent-encoded, without the query string: `/_matrix/federation/v1/…`. */
  readonly path: string;
  /** Values are texts; a list gives the parameter several times. */
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: JsonObject;
  readonly timeoutMs?: number;
  readonly answerBytesMax?: number;
  /** True: asked although the server counts as out of reach, as the sender does when it looks whether it is back. */
  readonly isProbe?: boolean;
  /** False: without X-Matrix, for what is public (`/_matrix/key/v2/…`, `/_matrix/federation/v1/version`). */
  readonly isSigned?: boolean;
  readonly signal?: AbortSignal;
}

/** What became of a request. Nothing of it throws but an abort. */
export type FederationAnswer =
  /** 200 and a JSON object. */
  | { readonly kind: 'answered'; readonly body: JsonObject }
  /** Any other status. `errcode` is `M_UNKNOWN` where the peer gave none. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly errcode: string;
      readonly error: string;
      readonly body: JsonObject;
    }
  /** No whole answer: name, address, TLS, time, size, no JSON; or nothing was sent, since the server counts as out of reach until `retryTs`. */
  | { readonly kind: 'unreachable'; readonly reason: string; readonly retryTs: number | null };

/** An answer that is read piece by piece. Whoever got it reads `body` to its end or destroys it. */
export interface FederationStream {
  readonly kind: 'streaming';
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

/**
 * Speaks to other servers: finds them, checks their addresses and certificates, signs, bounds, and remembers who is out of reach.
 * Server-Server API v1.19, "Resolving server names", "Request Authentication".
 */
export interface FederationClient {
  request(request: FederationRequest): Promise<FederationAnswer>;
  /** As `request`, for answers that are not JSON: media. */
  stream(
    request: FederationRequest,
  ): Promise<FederationStream | Exclude<FederationAnswer, { readonly kind: 'answered' }>>;
}

/** What is remembered of other servers. */
export interface ReachabilityBook {
  /** Until when a server counts as out of reach, milliseconds since the Unix epoch; null when it does not. */
  retryTs(serverName: string): Promise<number | null>;
  /** It answered, or asked us something. */
  noteHeard(serverName: string): void;
  noteUnreachable(serverName: string, reason: string): void;
}
