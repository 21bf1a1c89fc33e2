import { createRemoteMedia, type RemoteMedia } from '../../src/federation/media/remote-media.ts';
import type { RedirectGround } from '../../src/federation/media/redirected-content.ts';
import { createStateAnswers } from '../../src/federation/history/state-answers.ts';
import { createRemoteQueries } from '../../src/federation/queries/remote-queries.ts';
import { createApp } from '../../src/http/kit/app.ts';
import type { Endpoint } from '../../src/http/kit/endpoint.ts';
import { type HttpServer, type HttpServerOptions, startHttpServer } from '../../src/http/kit/http-server.ts';
import { loadEndpoints } from '../../src/http/kit/load-endpoints.ts';
import { warmUpSchemaChecks } from '../../src/http/kit/schema-check.ts';
import type { ActorRefs, Services } from '../../src/http/kit/services.ts';
import type { Config } from '../../src/config/config.ts';
import { cached } from '../cached.ts';
import { type Environment, type TroupeContext, defineActor } from '../environment.ts';
import type { ActorDefinition } from '../kit/actor.ts';
import type { ActorMap } from '../protocols.ts';
import type { HttpProtocol } from './protocol.ts';

/** Only its own address is asked for: a short mailbox is enough. */
const MAILBOX_LIMIT = 100;
/** The first requests, which ask whether the server is there, come before what is loaded for later ones. */
const WARM_UP_DELAY_MS = 200;

/**
 * What the kit itself asks, whatever endpoints there are: it tells `accounts` which devices are used, has the keys of servers from
 * `server-keys`, and tells `federation-sender` which servers are there.
 */
const KIT_NEEDS: readonly (keyof Services)[] = ['accounts', 'server-keys', 'federation-sender'];

/** What redirects of other servers' media are fetched with: made with the first of them that comes. */
function lazyRedirectGround({ federation }: Config): () => Promise<RedirectGround> {
  let made: Promise<RedirectGround> | null = null;
  return () =>
    (made ??= import('../../src/federation/media/redirect-ground.ts').then(({ createRedirectGround }) =>
      createRedirectGround(federation),
    ));
}

function remoteMediaOf(context: TroupeContext): RemoteMedia {
  const { env, clock, random, log } = context;
  const { config, federationClient: client } = env;
  const loadGround = lazyRedirectGround(config);
  return createRemoteMedia({ client, loadGround, media: context.ref('media'), config, clock, random, log });
}

/** What a thread itself offers to endpoints; every other need is the name of an actor. */
function threadServices(context: TroupeContext): Omit<Services, keyof ActorRefs | 'served'> {
  const { config, db, federationClient, streams } = context.env;
  if (streams === null)
    throw new Error(`${context.name} needs streams and lives on ${context.thread}, which has none`);
  return {
    config,
    db,
    federationClient,
    remoteQueries: createRemoteQueries(federationClient, context.clock, config.server.name),
    stateAnswers: createStateAnswers(context.clock),
    remoteMedia: remoteMediaOf(context),
    streams,
    cached: cached(context),
    clock: context.clock,
    random: context.random,
  };
}

function servicesFor(endpoints: readonly Endpoint[], context: TroupeContext): Omit<Services, 'served'> {
  const own = threadServices(context);
  const names = new Set([...KIT_NEEDS, ...endpoints.flatMap((endpoint) => endpoint.needs)]);
  const refs = [...names]
    .filter((name): name is keyof ActorRefs => name !== 'served' && !(name in own))
    .map((name) => [name, context.ref(name)] as const);
  // Complete for these endpoints: their needs and the kit's are all that anybody looks up.
  return { ...own, ...Object.fromEntries(refs) } as Omit<Services, 'served'>;
}

/** The listeners of one gateway: all of them started, or none. */
async function startListeners(
  { server, federation }: Config,
  parts: Omit<HttpServerOptions, 'address' | 'reusePort' | 'certificate'>,
): Promise<{ readonly plain: HttpServer; readonly secure: HttpServer | null }> {
  const reusePort = server.gateways > 1;
  const plain = await startHttpServer({ ...parts, address: server.listen, reusePort });
  if (federation.listen === null) return { plain, secure: null };
  try {
    const certificate = { certificate: federation.tlsCertificate, key: federation.tlsKey };
    const secure = await startHttpServer({ ...parts, address: federation.listen, reusePort, certificate });
    return { plain, secure };
  } catch (error) {
    plain.kill();
    throw error;
  }
}

/**
 * The HTTP front of one gateway thread: loads the endpoints and serves clients and servers alike, on `server.listen` without TLS and, where
 * it is set, on `federation.listen` with it. With more than one gateway all of them listen on the same ports, and the kernel deals the
 * connections out.
 *
 * A graceful stop lets parked long polls answer and requests end. It lives on a thread with a `views@…` actor.
 *
 * @param thread the name of the thread, which is part of the actor's name: `http@<thread>`
 * @param load gives the endpoints; all of `src/http` when absent
 */
export function httpActor(
  thread: string,
  load: () => Promise<readonly { readonly endpoint: Endpoint }[]> = loadEndpoints,
): ActorDefinition<HttpProtocol, ActorMap, Environment> {
  return defineActor<HttpProtocol>({
    name: `http@${thread}`,
    mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    async start(context) {
      const { env, clock, random, metrics, log } = context;
      const endpoints = (await load()).map(({ endpoint }) => endpoint);
      const services = servicesFor(endpoints, context);
      const app = createApp({ endpoints, services, config: env.config, log, clock, random, metrics });
      const { plain, secure } = await startListeners(env.config, { app, clock, metrics, log });
      const both = secure === null ? [plain] : [plain, secure];
      const kill = (): void => both.forEach((server) => server.kill());
      if (context.ended.aborted) kill();
      context.ended.addEventListener('abort', kill, { once: true });
      clock.after(WARM_UP_DELAY_MS, warmUpSchemaChecks);
      const addresses = { ...plain.address, federation: secure?.address ?? null };
      log.info('listening', { ...addresses, endpoints: endpoints.length });
      return {
        handlers: { 'http.read-addresses': () => addresses },
        stop: async () => void (await Promise.all(both.map((server) => server.stop()))),
      };
    },
  });
}
