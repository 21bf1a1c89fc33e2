import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../kit/clock.ts';
import type { Json } from '../../kit/json.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Counter, Metrics } from '../../kit/metrics.ts';
import { type Refusal, isRefusal, refuse } from '../../matrix/refusal.ts';
import { type AdmittedCaller, authenticate } from './authentication.ts';
import { BODY_BYTES_MAX, readBody } from './body-reader.ts';
import { type CallerWatch, watchCaller } from './caller-watch.ts';
import type { DeviceUseNotes } from './device-use-notes.ts';
import { type EndpointFigures, createEndpointFigures } from './endpoint-figures.ts';
import type { Caller, Endpoint, ServerCaller } from './endpoint.ts';
import { type QueryValues, decodeParams, parseQueryString } from './percent-decoding.ts';
import type { RateLimits } from './rate-limits.ts';
import { type IncomingBody, createIncomingBody } from './incoming-body.ts';
import type { RawParams } from './route-index.ts';
import { convertQuery, createSchemaCheck, queryConversions } from './schema-check.ts';
import type { ServerAuthentication } from './server-authentication.ts';
import type { Services } from './services.ts';
import { parseServerJson } from './server-json.ts';
import { parseStrictJson } from './strict-json.ts';

/** One request on its way through an endpoint. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly rawParams: RawParams;
  /** What stands after the question mark. */
  readonly queryText: string;
  readonly log: Logger;
  /** Aborted when the client has gone away or the server stops, or by `endWait`; made when somebody asks. */
  readonly aborted: AbortSignal;
  /** Ends what the handler waits for. */
  endWait(): void;
  /** Who is calling, as soon as that is known: for the access log. */
  caller: Caller | null;
  /** The server that is calling, likewise. */
  server: ServerCaller | null;
}

/** The client went away before its request was whole: there is nobody to answer. */
export const CLIENT_GONE = Symbol('client gone');

/** An endpoint with everything that one call after the other shares. */
export interface PreparedEndpoint {
  readonly endpoint: Endpoint;
  /** Method and path, for figures and the log: never a URL. */
  readonly route: string;
  readonly figures: EndpointFigures;
  /**
   * Authenticates, limits, parses, checks and calls the handler, in that order.
   *
   * @returns what the handler gave, a refusal, or {@link CLIENT_GONE}
   * @throws what the handler throws
   */
  run(exchange: Exchange): Promise<unknown>;
}

/** What endpoints stand on. */
export interface EndpointGround {
  readonly services: Services;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly limits: RateLimits;
  readonly uses: DeviceUseNotes;
  readonly servers: ServerAuthentication;
  /** The address of whoever sent a request. */
  readonly addressOf: (request: IncomingMessage) => string;
}

/** Only what `needs` names, found once. */
function pickServices(endpoint: Endpoint, services: Services): Services {
  const picked: Partial<Record<keyof Services, unknown>> = {};
  for (const need of endpoint.needs) {
    const service: unknown = services[need];
    if (service === undefined || service === null)
      throw new Error(`${endpoint.method} ${endpoint.path} needs "${need}", which this thread does not have`);
    picked[need] = service;
  }
  return picked as Services;
}

function createLimiter(
  endpoint: Endpoint,
  { limits, addressOf }: EndpointGround,
): (caller: Caller | null, exchange: Exchange) => Refusal | null {
  const limitClass = endpoint.rateLimit;
  if (limitClass === null) return () => null;
  return (caller, exchange) => {
    const kind = caller === null ? 'address' : 'user';
    const key = caller === null ? addressOf(exchange.request) : caller.userId;
    const waitMs = limits.take(limitClass, kind, key);
    if (waitMs === null) return null;
    exchange.log.info('rate limited', { class: limitClass, by: kind, key, waitMs });
    return refuse('M_LIMIT_EXCEEDED', 'Too many requests.', { extra: { retry_after_ms: waitMs } });
  };
}

type Part<Value> = Promise<Value | Refusal | typeof CLIENT_GONE>;

/** A body that was read and not checked yet. */
interface JsonBody {
  readonly kind: 'json';
  /** Null when there was none. */
  readonly value: Json | null;
  /** Of another server's request: all of it, for its signature; undefined when there was none. */
  readonly signed?: { readonly content: Json; readonly contentText: string };
}

/** How an endpoint reads its body, and then checks it. */
interface BodyParser {
  read(exchange: Exchange): Part<JsonBody>;
  /** No body at all stands for `{}` where nothing in it is required. */
  check(body: JsonBody): unknown;
}

function parseStrict(bytes: Buffer): JsonBody | Refusal {
  const parsed = parseStrictJson(bytes);
  return isRefusal(parsed) ? parsed : { kind: 'json', value: parsed.value };
}

function parseSigned(bytes: Buffer, { log }: Exchange): JsonBody | Refusal {
  const parsed = parseServerJson(bytes);
  if (isRefusal(parsed)) return parsed;
  const { value, signed, text, dropped } = parsed;
  if (dropped > 0) log.info('parts of a body cannot be read', { dropped });
  return { kind: 'json', value, signed: { content: signed, contentText: text } };
}

function createBodyParser(endpoint: Endpoint, clock: Clock): BodyParser | null {
  const { body: schema, bodyBytesMax = BODY_BYTES_MAX, auth } = endpoint;
  if (schema === undefined) return null;
  const check = createSchemaCheck(schema, 'body');
  const parse = auth === 'server' ? parseSigned : parseStrict;
  return {
    async read(exchange) {
      const read = await readBody(exchange.request, exchange.response, bodyBytesMax, clock);
      if (read.kind === 'aborted') return CLIENT_GONE;
      if (isRefusal(read)) return read;
      return read.bytes.length === 0 ? { kind: 'json', value: null } : parse(read.bytes, exchange);
    },
    check({ value }) {
      if (value !== null) return check.find(value) ?? value;
      const empty = {};
      return check.accepts(empty) ? empty : refuse('M_NOT_JSON', 'The request has no body.');
    },
  };
}

function createQueryParser(endpoint: Endpoint): (values: QueryValues) => unknown {
  if (endpoint.query === undefined) return () => undefined;
  const check = createSchemaCheck(endpoint.query, 'query');
  const conversions = queryConversions(endpoint.query);
  return (values) => {
    const fields = convertQuery(conversions, values);
    return isRefusal(fields) ? fields : (check.find(fields) ?? fields);
  };
}

function createParamsParser(endpoint: Endpoint): (raw: RawParams) => unknown {
  const check = endpoint.params === undefined ? null : createSchemaCheck(endpoint.params, 'params');
  return (raw) => {
    const params = decodeParams(raw);
    return isRefusal(params) ? params : (check?.find(params) ?? params);
  };
}

/** What bodies that are streamed stand on. */
interface BodyGround {
  readonly clock: Clock;
  readonly received: Counter;
  readonly addressOf: (request: IncomingMessage) => string;
}

/** What a handler gets. A class, because getters of an object literal are made anew for every request, which costs microseconds. */
class HandlerRequest {
  readonly params: undefined;
  readonly query: undefined;
  readonly body: undefined;
  readonly caller: Caller | ServerCaller | null;
  readonly services: Services;
  readonly #exchange: Exchange;
  readonly #ground: BodyGround;
  readonly #watch: () => void;

  constructor(
    exchange: Exchange,
    services: Services,
    params: unknown,
    query: unknown,
    body: unknown,
    ground: BodyGround,
    watch: () => void,
  ) {
    this.params = params as undefined;
    this.query = query as undefined;
    this.body = body as undefined;
    this.caller = exchange.server ?? exchange.caller;
    this.services = services;
    this.#exchange = exchange;
    this.#ground = ground;
    this.#watch = watch;
  }

  get incoming(): IncomingBody {
    const { request, response } = this.#exchange;
    return createIncomingBody(request, response, this.#ground.clock, this.#ground.received);
  }

  get log(): Logger {
    return this.#exchange.log;
  }

  get userAgent(): string {
    return this.#exchange.request.headers['user-agent'] ?? '';
  }

  get accept(): string {
    return this.#exchange.request.headers.accept ?? '';
  }

  get acceptLanguage(): string {
    return this.#exchange.request.headers['accept-language'] ?? '';
  }

  get remoteAddress(): string {
    return this.#ground.addressOf(this.#exchange.request);
  }

  /** Whoever waits may be shut out meanwhile. */
  get aborted(): AbortSignal {
    this.#watch();
    return this.#exchange.aborted;
  }
}

/** What the request line says. */
interface Target {
  readonly params: unknown;
  readonly query: unknown;
}

function createTargetParser(
  endpoint: Endpoint,
): (exchange: Exchange, values: QueryValues) => Target | Refusal {
  const parseParams = createParamsParser(endpoint);
  const parseQuery = createQueryParser(endpoint);
  return (exchange, values) => {
    const params = parseParams(exchange.rawParams);
    if (isRefusal(params)) return params;
    const query = parseQuery(values);
    return isRefusal(query) ? query : { params, query };
  };
}

/** From where a device is used. */
function useOf(
  request: IncomingMessage,
  { addressOf }: EndpointGround,
): { readonly ip: string; readonly userAgent: string } {
  return { ip: addressOf(request), userAgent: request.headers['user-agent'] ?? '' };
}

/** Calls the handler. A caller who is shut out while it waits gets that for an answer. */
function createWatchedHandle(
  endpoint: Endpoint,
  { services: { cached }, clock }: EndpointGround,
): (exchange: Exchange, requestOf: (watch: () => void) => HandlerRequest) => Promise<unknown> {
  return async (exchange, requestOf) => {
    const { caller } = exchange;
    let watched: CallerWatch | null = null;
    const watch = (): void => {
      if (caller === null || watched !== null) return;
      const end = (): void => exchange.endWait();
      const fail = (error: unknown): void => exchange.log.error('a caller was not looked at', { error });
      watched = watchCaller({ cached, clock }, endpoint, caller.tokenHash, end, fail);
    };
    try {
      const result = await endpoint.handle(requestOf(watch));
      return (watched as CallerWatch | null)?.refusal ?? result;
    } finally {
      (watched as CallerWatch | null)?.close();
    }
  };
}

/**
 * Prepares an endpoint for being called.
 *
 * @throws Error when the endpoint needs something that this thread does not offer
 */
export function prepareEndpoint(endpoint: Endpoint, ground: EndpointGround): PreparedEndpoint {
  const route = `${endpoint.method} ${endpoint.path}`;
  const services = pickServices(endpoint, ground.services);
  const limited = createLimiter(endpoint, ground);
  const parseTarget = createTargetParser(endpoint);
  const bodyParser = createBodyParser(endpoint, ground.clock);
  const bodyGround = {
    clock: ground.clock,
    received: ground.metrics.counter('http.streamed-bytes-received'),
    addressOf: ground.addressOf,
  };
  const usesQuery = endpoint.query !== undefined || endpoint.auth !== 'none';

  const admit = (exchange: Exchange, values: QueryValues): Promise<AdmittedCaller | null | Refusal> =>
    endpoint.auth === 'none'
      ? Promise.resolve(null)
      : authenticate(endpoint, exchange.request, values, ground.services.cached, ground.clock.now());
  const noteUse = ({ caller, isFirstUse }: AdmittedCaller, { request }: Exchange): void => {
    const { userId, tokenHash } = caller;
    if (isFirstUse) ground.services.accounts.tell('accounts.note-token-use', { userId, tokenHash });
    ground.uses.note(caller, () => useOf(request, ground));
  };
  const handle = createWatchedHandle(endpoint, ground);
  const handleBody = async (
    exchange: Exchange,
    target: Target,
    read: JsonBody | undefined,
  ): Promise<unknown> => {
    const body = read === undefined ? undefined : bodyParser?.check(read);
    if (isRefusal(body)) return body;
    const { params, query } = target;
    return handle(
      exchange,
      (watch) => new HandlerRequest(exchange, services, params, query, body, bodyGround, watch),
    );
  };
  /** What a server asks is signed with its body: that is read before it is known who is calling, once somebody says who. */
  const runForServer = async (exchange: Exchange, values: QueryValues): Promise<unknown> => {
    const claims = ground.servers.claimsOf(exchange.request);
    if (isRefusal(claims)) return claims;
    const read = await bodyParser?.read(exchange);
    if (isRefusal(read) || read === CLIENT_GONE) return read;
    const server = await ground.servers.authenticate(exchange.request, claims, read?.signed);
    if (isRefusal(server)) return server;
    exchange.server = server;
    const target = parseTarget(exchange, values);
    return isRefusal(target) ? target : handleBody(exchange, target, read);
  };

  return {
    endpoint,
    route,
    figures: createEndpointFigures(route, ground.metrics),
    async run(exchange) {
      const values = parseQueryString(usesQuery ? exchange.queryText : '');
      if (isRefusal(values)) return values;
      if (endpoint.auth === 'server') return runForServer(exchange, values);
      const admitted = await admit(exchange, values);
      if (isRefusal(admitted)) return admitted;
      const caller = admitted?.caller ?? null;
      exchange.caller = caller;
      if (admitted !== null) noteUse(admitted, exchange);
      const refused = limited(caller, exchange);
      if (refused !== null) return refused;
      const target = parseTarget(exchange, values);
      if (isRefusal(target)) return target;
      const read = await bodyParser?.read(exchange);
      if (isRefusal(read) || read === CLIENT_GONE) return read;
      return handleBody(exchange, target, read);
    },
  };
}
