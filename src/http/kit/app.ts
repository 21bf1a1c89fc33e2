import Koa from 'koa';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { AskFailed } from '../../../actors/kit/ref.ts';
import type { Config } from '../../config/config.ts';
import type { Clock } from '../../kit/clock.ts';
import { isLogged } from '../../kit/log-levels.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Metrics } from '../../kit/metrics.ts';
import type { Random } from '../../kit/random.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';
import { isFileReply, type Payload, payloadOf, refusalOfThrown, writeAnswer } from './answer.ts';
import { mustCloseAfter } from './body-reader.ts';
import { saysClientGone } from './client-gone.ts';
import { createDeviceUseNotes } from './device-use-notes.ts';
import { type Caller, type Endpoint, type ServerCaller, reply } from './endpoint.ts';
import { openFilePayload, sendFile } from './file-answer.ts';
import { FileBody } from './file-body.ts';
import { parsePathPattern } from './path-pattern.ts';
import { CLIENT_GONE, type Exchange, type PreparedEndpoint, prepareEndpoint } from './prepared-endpoint.ts';
import { createAddressReader } from './remote-address.ts';
import { createRateLimits } from './rate-limits.ts';
import { type RawParams, type Route, createRouteIndex } from './route-index.ts';
import { createServerAuthentication } from './server-authentication.ts';
import type { Services } from './services.ts';

/** What an app is made of. */
export interface AppOptions {
  readonly endpoints: readonly Endpoint[];
  readonly services: Omit<Services, 'served'>;
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Looks at each request before anything else does; a refusal is all that such a request gets. */
  readonly guard?: (headers: IncomingHttpHeaders) => Refusal | null;
}

/** The HTTP side of one thread, without its sockets. */
export interface App {
  /** For `node:http`: `request` and `checkContinue` alike. */
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * Aborts what handlers hold as `aborted`, now and from now on: parked long polls answer. Requests are still served, and each
   * connection closes with its next answer.
   */
  beginStop(): void;
}

/** The status that the access log shows when the client was gone before its answer. */
export const STATUS_CLIENT_GONE = 499;

const REQUEST_ID_PREFIX_LENGTH = 8;

const NO_PARAMS: RawParams = {};

/** Aborts the signals of requests whose client has gone, and all of them on stop. */
interface Aborts {
  readonly isStopping: boolean;
  controllerFor(response: ServerResponse): AbortController;
  abortAll(): void;
}

function createAborts(): Aborts {
  const open = new Set<AbortController>();
  let stopping = false;
  return {
    get isStopping() {
      return stopping;
    },
    controllerFor(response) {
      const controller = new AbortController();
      if (stopping || response.destroyed) controller.abort();
      else {
        open.add(controller);
        response.once('close', () => {
          open.delete(controller);
          if (!response.writableFinished) controller.abort();
        });
      }
      return controller;
    },
    abortAll() {
      stopping = true;
      for (const controller of open) controller.abort();
      open.clear();
    },
  };
}

/** Path and query string of a request line, which may hold a whole URL (RFC 9112, section 3.2.2). Null: it holds neither. */
function splitTarget(target: string): { readonly path: string; readonly queryText: string } | null {
  let relative = target;
  if (!target.startsWith('/')) {
    if (!URL.canParse(target)) return null;
    const { pathname, search } = new URL(target);
    relative = pathname + search;
  }
  const mark = relative.indexOf('?');
  if (mark === -1) return { path: relative, queryText: '' };
  return { path: relative.slice(0, mark), queryText: relative.slice(mark + 1) };
}

function hasPreflight(path: string): boolean {
  return ['/_matrix/', '/_synapse/', '/.well-known/'].some((prefix) => path.startsWith(prefix));
}

/** What a request comes to. `prepared` is null where no endpoint was found. */
interface Resolved {
  readonly prepared: PreparedEndpoint | null;
  readonly rawParams: RawParams;
  readonly queryText: string;
  /** What the client gets where there is no endpoint. */
  readonly otherwise: unknown;
}

function withoutEndpoint(otherwise: unknown): Resolved {
  return { prepared: null, rawParams: NO_PARAMS, queryText: '', otherwise };
}

function parameterNames(path: string): string {
  return (parsePathPattern(path)[0]?.names ?? []).toSorted().join();
}

/** @throws Error for an alias whose parameters are not those of the path: the handler would get other ones */
function pathsOf(endpoint: Endpoint): readonly string[] {
  const { path, aliases = [] } = endpoint;
  for (const alias of aliases) {
    if (parameterNames(alias) !== parameterNames(path))
      throw new Error(`${endpoint.method} ${path}: the alias ${alias} has other parameters`);
  }
  return [path, ...aliases];
}

function createResolver(prepared: readonly PreparedEndpoint[]): (method: string, target: string) => Resolved {
  const routes = prepared.flatMap((one) =>
    pathsOf(one.endpoint).map((path): Route<PreparedEndpoint> => ({
      method: one.endpoint.method,
      path,
      owner: `${one.route} (${one.endpoint.spec})`,
      value: one,
    })),
  );
  const index = createRouteIndex(routes);
  const preflight = withoutEndpoint(reply(204, undefined));
  const unknown = withoutEndpoint(refuse('M_UNRECOGNIZED', 'There is no such endpoint.'));

  return (method, target) => {
    const split = splitTarget(target);
    if (split === null) return unknown;
    if (method === 'OPTIONS' && hasPreflight(split.path)) return preflight;
    const found = index.find(method, split.path);
    if (found.kind === 'unknown') return unknown;
    if (found.kind === 'found')
      return { prepared: found.value, rawParams: found.params, queryText: split.queryText, otherwise: null };
    const body = { errcode: 'M_UNRECOGNIZED', error: `The endpoint does not know ${method}.` };
    return withoutEndpoint(reply(405, body, { Allow: found.allowed.join(', ') }));
  };
}

/** A class for the same reason as the handler's request: its getters are made once. */
class AppExchange implements Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly rawParams: RawParams;
  readonly queryText: string;
  caller: Caller | null = null;
  server: ServerCaller | null = null;
  readonly #parentLog: Logger;
  readonly #aborts: Aborts;
  #log: Logger | null = null;
  #controller: AbortController | null = null;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    resolved: Resolved,
    requestId: string,
    log: Logger,
    aborts: Aborts,
  ) {
    this.request = request;
    this.response = response;
    this.requestId = requestId;
    this.rawParams = resolved.rawParams;
    this.queryText = resolved.queryText;
    this.#parentLog = log;
    this.#aborts = aborts;
  }

  get log(): Logger {
    return (this.#log ??= this.#parentLog.child({ request: this.requestId }));
  }

  get aborted(): AbortSignal {
    return this.#abort().signal;
  }

  endWait(): void {
    this.#abort().abort();
  }

  #abort(): AbortController {
    return (this.#controller ??= this.#aborts.controllerFor(this.response));
  }
}

function logThrown(log: Logger, route: string, thrown: unknown): void {
  if (thrown instanceof AskFailed) {
    const { actor, messageName, reason } = thrown;
    log.warn('an actor did not answer', { route, actor, ask: messageName, reason });
  } else log.error('an endpoint failed', { route, error: thrown });
}

async function payloadFor(resolved: Resolved, exchange: Exchange): Promise<Payload | null> {
  const { prepared } = resolved;
  if (prepared === null) return payloadOf(resolved.otherwise);
  try {
    const result = await prepared.run(exchange);
    if (result === CLIENT_GONE) return null;
    return isFileReply(result) ? await openFilePayload(exchange.request, result) : payloadOf(result);
  } catch (thrown) {
    logThrown(exchange.log, prepared.route, thrown);
    return payloadOf(refusalOfThrown(thrown, exchange.requestId));
  }
}

/**
 * Makes what sends answers.
 *
 * @returns whether the client was there until its end; a promise of it where the answer is a file, which takes time
 */
function createAnswerer({ clock, metrics }: AppOptions, aborts: Aborts) {
  const sent = metrics.counter('http.streamed-bytes-sent');
  return (exchange: Exchange, payload: Payload): boolean | Promise<boolean> => {
    const { request, response } = exchange;
    const { body } = payload;
    if (!response.destroyed)
      writeAnswer(response, payload, exchange.requestId, aborts.isStopping || mustCloseAfter(request));
    // A file is open already, and is closed with its answer, whether or not there is somebody to get it.
    else if (!(body instanceof FileBody)) return false;
    return body instanceof FileBody ? sendFile(response, body, { clock, sent, log: exchange.log }) : true;
  };
}

/** Makes what counts and logs requests when they have ended. */
function createRecorder({ clock, log, metrics }: AppOptions) {
  const unrecognized = metrics.counter('http.unrecognized');
  return (resolved: Resolved, exchange: Exchange, status: number, startMs: number): void => {
    const { request } = exchange;
    const ms = clock.monotonic() - startMs;
    if (resolved.prepared === null) unrecognized.add();
    else resolved.prepared.figures.record(status, ms);
    if (!isLogged('info', log.level)) return;
    log.info('request', {
      request: exchange.requestId,
      method: request.method,
      route: resolved.prepared?.endpoint.path ?? null,
      status,
      ms: Math.round(ms * 100) / 100,
      user: exchange.caller?.userId ?? null,
      ...(exchange.server !== null && { server: exchange.server.serverName }),
    });
  };
}

/**
 * Makes the HTTP side of one thread: finds the endpoint, authenticates, limits, parses, checks, calls, answers, counts and logs.
 *
 * Errors are `{errcode, error}` always. An unknown path is 404 `M_UNRECOGNIZED`, a known one with another method 405 `M_UNRECOGNIZED`;
 * a throw is 500 `M_UNKNOWN` and an ask that failed 503. `OPTIONS` under `/_matrix`, `/.well-known` and `/_synapse` (which clients
 * in browsers ask whether their user is an administrator) is always 204.
 * Client-Server API v1.19, "API Standards" and "Web Browser Clients".
 *
 * Koa carries one middleware that writes to the response itself; anything more would be paid by every request.
 *
 * @throws Error when two endpoints have the same method and path, or one needs what this thread does not have
 */
export function createApp(options: AppOptions): App {
  const { clock, random, metrics } = options;
  const log = options.log;
  const aborts = createAborts();
  const served = new Set(options.endpoints.map(({ method, path }) => `${method} ${path}`));
  const services: Services = { ...options.services, served };
  const limits = createRateLimits(options.config, clock, metrics);
  const uses = createDeviceUseNotes(services, clock);
  const servers = createServerAuthentication(services, clock);
  const addressOf = createAddressReader(options.config);
  const ground = { services, clock, metrics, limits, uses, servers, addressOf };
  const resolve = createResolver(options.endpoints.map((endpoint) => prepareEndpoint(endpoint, ground)));
  const answer = createAnswerer(options, aborts);
  const record = createRecorder(options);
  const prefix = random.text(REQUEST_ID_PREFIX_LENGTH);
  let requests = 0;

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const startMs = clock.monotonic();
    requests += 1;
    const requestId = `${prefix}-${requests.toString(36)}`;
    const forbidden = options.guard?.(request.headers) ?? null;
    const resolved =
      forbidden === null ? resolve(request.method ?? 'GET', request.url ?? '/') : withoutEndpoint(forbidden);
    const exchange = new AppExchange(request, response, resolved, requestId, log, aborts);
    const payload = await payloadFor(resolved, exchange);
    const sent = payload !== null && answer(exchange, payload);
    const isThere = typeof sent === 'boolean' ? sent : await sent;
    record(resolved, exchange, isThere && payload !== null ? payload.status : STATUS_CLIENT_GONE, startMs);
  };

  const koa = new Koa();
  koa.on('error', (error: unknown) => {
    if (!saysClientGone(error)) log.error('an answer failed', { error });
  });
  koa.use((context) => {
    context.respond = false;
    return serve(context.req, context.res);
  });
  const callback = koa.callback();
  return {
    listener: (request, response) => void callback(request, response),
    beginStop: () => aborts.abortAll(),
  };
}
