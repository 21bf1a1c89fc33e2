import type { Dispatcher } from 'undici';
import type { Config } from '../../config/config.ts';
import { createAddressGuard } from '../../http-client/address-guard.ts';
import { readAuthorities } from '../../http-client/authorities.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Metrics } from '../../kit/metrics.ts';
import { parseServerName } from '../../matrix/identifiers/server-name.ts';
import type { ServerKey } from '../../matrix/signing.ts';
import {
  FEDERATION_ANSWER_BYTES_MAX,
  FEDERATION_TIMEOUT_MS,
  type FederationClient,
  type FederationRequest,
  type ReachabilityBook,
} from '../federation-client.ts';
import { canonicalContent, xMatrixHeader } from '../x-matrix.ts';
import { createConnections, type PoolRequest } from './connections.ts';
import type { NameLookup } from './name-lookup.ts';
import { AnswerUnusable, headersOf, readAnswer, type Unreachable, unreachable } from './read-answer.ts';

/** What a client is made of. */
export interface ClientParts {
  readonly config: Config;
  readonly serverKey: ServerKey;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly names: NameLookup;
  readonly reachability: ReachabilityBook;
  /** The port on which hosts are asked for their well-known; 443. */
  readonly wellKnownPort?: number;
}

const EVERY_NETWORK = ['0.0.0.0/0', '::/0'];

/** What fails to answer for so long is not there; what is given less time may only be slow, in milliseconds. */
export const OUT_OF_REACH_AFTER_MS = 10_000;

type Streamed = Exclude<Awaited<ReturnType<FederationClient['stream']>>, Unreachable>;

/** The time is over. */
class TooLate extends Error {
  constructor(timeoutMs: number) {
    super(`no whole answer within ${timeoutMs} ms`);
    this.name = 'TooLate';
  }
}

function isOutOfReach(error: unknown, timeoutMs: number): boolean {
  if (error instanceof AnswerUnusable) return error.isServerGone;
  return !(error instanceof TooLate) || timeoutMs >= OUT_OF_REACH_AFTER_MS;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function queryText(query: FederationRequest['query']): string {
  if (query === undefined) return '';
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map(
      (one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`,
    ),
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** The request as undici takes it, signed. */
function dispatched(
  request: FederationRequest,
  { config, serverKey }: ClientParts,
  signal: AbortSignal,
): PoolRequest {
  const {
    destination,
    method,
    path,
    query,
    body,
    isSigned = true,
    timeoutMs = FEDERATION_TIMEOUT_MS,
  } = request;
  const uri = `${path}${queryText(query)}`;
  // Written once: what is signed is what is sent.
  const text = canonicalContent({ content: body });
  const authorization = (): string =>
    xMatrixHeader(
      { method, uri, content: body, canonicalText: text },
      config.server.name,
      destination,
      serverKey,
    );
  return {
    method,
    path: uri,
    headers: {
      'user-agent': 'Troupe',
      accept: '*/*',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(isSigned && { authorization: authorization() }),
    },
    body: body === undefined ? null : (text ?? JSON.stringify(body)),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    signal,
  };
}

/** What is still being read when the signal comes ends with it. */
function endWith(body: Dispatcher.ResponseData['body'], signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const end = (): void => void body.destroy(signal.reason as Error);
  signal.addEventListener('abort', end, { once: true });
  body.once('close', () => signal.removeEventListener('abort', end));
}

/** Why a server is not asked at all. */
async function findObstacle(
  { destination, isProbe = false }: FederationRequest,
  { config, clock, reachability }: ClientParts,
): Promise<Unreachable | undefined> {
  if (destination === config.server.name) return unreachable('a server does not ask itself');
  if (parseServerName(destination) === undefined) return unreachable('this is no name of a server');
  const retryTs = isProbe ? null : await reachability.retryTs(destination);
  if (retryTs === null || retryTs <= clock.now()) return undefined;
  return unreachable('it did not answer lately', retryTs);
}

/** Makes what speaks to other servers, for one thread. */
export function createFederationClient(parts: ClientParts): FederationClient {
  const { config, clock, metrics, log, reachability } = parts;
  const { allowPrivateAddresses, caFile } = config.federation;
  const guard = createAddressGuard([], allowPrivateAddresses ? EVERY_NETWORK : []);
  const authorities = readAuthorities(caFile);
  const connections = createConnections({ ...parts, guard, authorities });
  const requests = metrics.counter('federation.requests');
  const failures = metrics.counter('federation.requests-unreachable');
  const time = metrics.histogram('federation.request-ms');

  function noteFailure(
    { destination, path }: FederationRequest,
    error: unknown,
    timeoutMs: number,
  ): Unreachable {
    const reason = reasonOf(error);
    failures.add();
    log.debug('another server gave no answer', { destination, path, reason });
    if (isOutOfReach(error, timeoutMs)) reachability.noteUnreachable(destination, reason);
    return unreachable(reason);
  }

  /** @param use gives what becomes of the answer; the time runs until it is done */
  async function run<T>(
    request: FederationRequest,
    use: (answer: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T | Unreachable> {
    const { destination, timeoutMs = FEDERATION_TIMEOUT_MS, signal } = request;
    signal?.throwIfAborted();
    const obstacle = await findObstacle(request, parts);
    if (obstacle !== undefined) return obstacle;
    signal?.throwIfAborted();
    requests.add();
    const startMs = clock.monotonic();
    const deadline = new AbortController();
    const timer = clock.after(timeoutMs, () => deadline.abort(new TooLate(timeoutMs)));
    // Not AbortSignal.any: on a signal that lives as long as an actor it leaves to the garbage collector what each request hangs on it.
    const giveUp = (): void => deadline.abort(signal?.reason);
    const ready = dispatched(request, parts, deadline.signal);
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      const result = await use(await connections.request(destination, ready));
      reachability.noteHeard(destination);
      time.record(clock.monotonic() - startMs);
      return result;
    } catch (error) {
      // Whoever gave the request up is told so; everything else is the peer's doing, or the network's.
      signal?.throwIfAborted();
      return noteFailure(request, error, timeoutMs);
    } finally {
      clock.cancel(timer);
      signal?.removeEventListener('abort', giveUp);
    }
  }

  return {
    request: (request) =>
      run(request, (answer) => readAnswer(answer, request.answerBytesMax ?? FEDERATION_ANSWER_BYTES_MAX)),
    stream: (request) =>
      run(request, async (answer): Promise<Streamed> => {
        const status = answer.statusCode;
        // One that is destroyed says so by an error, which whoever destroys it does not wait for; readers hear of it all the same.
        answer.body.on('error', () => undefined);
        if (status < 400) {
          endWith(answer.body, request.signal);
          return { kind: 'streaming', status, headers: headersOf(answer.headers), body: answer.body };
        }
        // No status from 400 on is an answer.
        return (await readAnswer(answer, FEDERATION_ANSWER_BYTES_MAX)) as Streamed;
      }),
  };
}
