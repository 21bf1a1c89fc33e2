import type { Config } from '../../../src/config/config.ts';
import { OUT_OF_REACH_AFTER_MS } from '../../../src/federation/client/create-client.ts';
import { unreachable } from '../../../src/federation/client/read-answer.ts';
import {
  FEDERATION_TIMEOUT_MS,
  type FederationAnswer,
  type FederationClient,
  type FederationRequest,
  type ReachabilityBook,
} from '../../../src/federation/federation-client.ts';
import { xMatrixHeader } from '../../../src/federation/x-matrix.ts';
import type { Clock } from '../../../src/kit/clock.ts';
import { isJsonObject, type Json, type JsonObject } from '../../../src/kit/json.ts';
import type { ServerKey } from '../../../src/matrix/signing.ts';
import type { Network, WireAnswer, WireRequest } from './network.ts';

interface WireClientParts {
  readonly config: Config;
  readonly serverKey: ServerKey;
  readonly clock: Clock;
  readonly reachability: ReachabilityBook;
  readonly network: Network;
}

class TooLate extends Error {}

function uriOf({ path, query = {} }: FederationRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map(
      (one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`,
    ),
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

function signed(request: FederationRequest, { config, serverKey }: WireClientParts): WireRequest {
  const { method, body, destination, isSigned = true } = request;
  const uri = uriOf(request);
  return {
    method,
    uri,
    authorization: isSigned
      ? xMatrixHeader({ method, uri, content: body }, config.server.name, destination, serverKey)
      : null,
    body: body === undefined ? null : JSON.stringify(body),
  };
}

function readAnswer({ status, body: text }: WireAnswer): FederationAnswer {
  const parsed = JSON.parse(text) as Json;
  const body: JsonObject = isJsonObject(parsed) ? parsed : {};
  if (status === 200) return { kind: 'answered', body };
  const { errcode, error } = body;
  return {
    kind: 'refused',
    status,
    errcode: typeof errcode === 'string' ? errcode : 'M_UNKNOWN',
    error: typeof error === 'string' ? error : `HTTP ${status}`,
    body,
  };
}

/** Settles as the first of them does. */
async function withDeadline<T>(
  answer: Promise<T>,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  const given = Promise.withResolvers<never>();
  const timer = clock.after(timeoutMs, () =>
    given.reject(new TooLate(`no whole answer within ${timeoutMs} ms`)),
  );
  const abort = (): void => given.reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([answer, given.promise]);
  } finally {
    clock.cancel(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** The client of one thread, on a network that is none: it signs, waits and remembers as the program's does. */
export function createWireClient(parts: WireClientParts): FederationClient {
  const { config, clock, reachability, network } = parts;
  return {
    async request(request) {
      const { destination, isProbe = false, timeoutMs = FEDERATION_TIMEOUT_MS, signal } = request;
      signal?.throwIfAborted();
      if (destination === config.server.name) return unreachable('a server does not ask itself');
      const retryTs = isProbe ? null : await reachability.retryTs(destination);
      if (retryTs !== null && retryTs > clock.now()) return unreachable('it did not answer lately', retryTs);
      try {
        const sent = network.send(config.server.name, destination, signed(request, parts));
        const answer = readAnswer(await withDeadline(sent, clock, timeoutMs, signal));
        reachability.noteHeard(destination);
        return answer;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TooLate) || timeoutMs >= OUT_OF_REACH_AFTER_MS)
          reachability.noteUnreachable(destination, String(error));
        return unreachable(String(error));
      }
    },
    stream: () => Promise.reject(new Error('the simulation has no media')),
  };
}
