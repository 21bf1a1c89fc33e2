import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { TroupeContext } from '../../../actors/environment.ts';
import { createStateAnswers } from '../../../src/federation/history/state-answers.ts';
import { payloadOf, refusalOfThrown } from '../../../src/http/kit/answer.ts';
import type { Endpoint } from '../../../src/http/kit/endpoint.ts';
import {
  type EndpointGround,
  type Exchange,
  prepareEndpoint,
} from '../../../src/http/kit/prepared-endpoint.ts';
import { createRouteIndex } from '../../../src/http/kit/route-index.ts';
import { createServerAuthentication } from '../../../src/http/kit/server-authentication.ts';
import type { Services } from '../../../src/http/kit/services.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { endpoint as getEventAuth } from '../../../src/http/server/events/get-event-auth.ts';
import { endpoint as getEvent } from '../../../src/http/server/events/get-event.ts';
import { endpoint as getStateIds } from '../../../src/http/server/events/get-state-ids.ts';
import { endpoint as getState } from '../../../src/http/server/events/get-state.ts';
import { endpoint as backfill } from '../../../src/http/server/history/backfill.ts';
import { endpoint as getMissingEvents } from '../../../src/http/server/history/get-missing-events.ts';
import { endpoint as getOwnKeys } from '../../../src/http/server/keys/get-own-keys.ts';
import { endpoint as makeJoin } from '../../../src/http/server/membership/make-join.ts';
import { endpoint as makeLeave } from '../../../src/http/server/membership/make-leave.ts';
import { endpoint as putInvite } from '../../../src/http/server/membership/put-invite.ts';
import { endpoint as sendJoin } from '../../../src/http/server/membership/send-join.ts';
import { endpoint as sendLeave } from '../../../src/http/server/membership/send-leave.ts';
import { endpoint as putSend } from '../../../src/http/server/transactions/put-send.ts';
import { silentMetrics } from '../../support/database.ts';
import { ConnectionFailed, type Door, type WireRequest } from './network.ts';

/** What servers of the simulation ask of each other. */
const ENDPOINTS = [
  putSend,
  makeJoin,
  sendJoin,
  makeLeave,
  sendLeave,
  putInvite,
  getEvent,
  getEventAuth,
  getState,
  getStateIds,
  getMissingEvents,
  backfill,
  getOwnKeys,
] as unknown as readonly Endpoint[];

/** What the endpoints of clients and servers find on a gateway of the simulation. */
export function servicesOf(context: TroupeContext): Services {
  const { config, db, federationClient, streams, caches } = context.env;
  if (streams === null || caches === null) throw new Error(`${context.name} sees no streams`);
  const own: Partial<Services> = {
    config,
    db,
    federationClient,
    streams,
    cached: caches,
    clock: context.clock,
    random: context.random,
    stateAnswers: createStateAnswers(context.clock),
  };
  // Only what is looked up is there: the tree of the simulation has fewer actors than the program's.
  return new Proxy(own as Services, {
    get: (target, name) => (Reflect.get(target, name) as unknown) ?? context.ref(name as 'rooms'),
  });
}

/** A request without a socket. */
function incoming({ method, uri, authorization, body }: WireRequest): IncomingMessage {
  const stream = new Readable({ read: () => undefined });
  if (body !== null) stream.push(Buffer.from(body));
  stream.push(null);
  const headersDistinct = authorization === null ? {} : { authorization: [authorization] };
  return Object.assign(stream, {
    method,
    url: uri,
    headers: {},
    headersDistinct,
  }) as unknown as IncomingMessage;
}

/** The endpoints for servers on one gateway: the program's own, behind the kit that authenticates, reads and checks. */
export function openFront(context: TroupeContext): Door {
  const services = servicesOf(context);
  const { clock, ended } = context;
  const ground: EndpointGround = {
    services,
    clock,
    metrics: silentMetrics,
    limits: { take: () => null },
    uses: { note: () => undefined },
    servers: createServerAuthentication(services, clock),
    addressOf: () => '',
  };
  const routes = createRouteIndex(
    ENDPOINTS.map((endpoint) => ({
      method: endpoint.method,
      path: endpoint.path,
      owner: endpoint.path,
      value: prepareEndpoint(endpoint, ground),
    })),
  );

  async function serve(request: WireRequest): Promise<{ status: number; body: string }> {
    const [path = '', queryText = ''] = request.uri.split('?');
    const found = routes.find(request.method, path);
    if (found.kind !== 'found') throw new Error(`the simulation does not serve ${request.method} ${path}`);
    const exchange: Exchange = {
      request: incoming(request),
      response: {} as ServerResponse,
      requestId: 'simulated',
      rawParams: found.params,
      queryText,
      log: silentLogger,
      aborted: ended,
      endWait: () => undefined,
      caller: null,
      server: null,
    };
    let result: unknown;
    try {
      result = await found.value.run(exchange);
    } catch (error) {
      result = refusalOfThrown(error, exchange.requestId);
    }
    const { status, body } = payloadOf(result);
    return { status, body: typeof body === 'string' ? body : '' };
  }

  return (request) =>
    new Promise((resolve, reject) => {
      const hangUp = (): void => reject(new ConnectionFailed('its gateway has died'));
      if (ended.aborted) return hangUp();
      ended.addEventListener('abort', hangUp, { once: true });
      serve(request)
        .then(resolve, reject)
        .finally(() => ended.removeEventListener('abort', hangUp));
    });
}
