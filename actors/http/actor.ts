import { createApp } from '../../src/http/kit/app.ts';
import type { Endpoint } from '../../src/http/kit/endpoint.ts';
import { startHttpServer } from '../../src/http/kit/http-server.ts';
import { loadEndpoints } from '../../src/http/kit/load-endpoints.ts';
import { warmUpSchemaChecks } from '../../src/http/kit/schema-check.ts';
import type { ActorRefs, Services } from '../../src/http/kit/services.ts';
import { cached } from '../cached.ts';
import { type Environment, type TroupeContext, defineActor } from '../environment.ts';
import type { ActorDefinition } from '../kit/actor.ts';
import type { ActorMap } from '../protocols.ts';
import type { HttpProtocol } from './protocol.ts';

/** Only its own address is asked for: a short mailbox is enough. */
const MAILBOX_LIMIT = 100;
/** The first requests, which ask whether the server is there, come before what is loaded for later ones. */
const WARM_UP_DELAY_MS = 200;

/** What the kit itself asks, whatever endpoints there are: it tells `accounts` which devices are used. */
const KIT_NEEDS: readonly (keyof Services)[] = ['accounts'];

/** What a thread itself offers to endpoints; every other need is the name of an actor. */
function threadServices(context: TroupeContext): Omit<Services, keyof ActorRefs | 'served'> {
  const { config, db, streams } = context.env;
  if (streams === null)
    throw new Error(`${context.name} needs streams and lives on ${context.thread}, which has none`);
  return { config, db, streams, cached: cached(context), clock: context.clock, random: context.random };
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

/**
 * The HTTP front of one gateway thread: loads the endpoints and serves clients and servers alike on `server.listen`. With more than one
 * gateway all of them listen on the same port, and the kernel deals the connections out.
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
      const { listen, gateways } = env.config.server;
      const server = await startHttpServer({ app, address: listen, reusePort: gateways > 1, clock, metrics });
      if (context.ended.aborted) server.kill();
      context.ended.addEventListener('abort', () => server.kill(), { once: true });
      clock.after(WARM_UP_DELAY_MS, warmUpSchemaChecks);
      log.info('listening', { ...server.address, endpoints: endpoints.length });
      return {
        handlers: { 'http.read-addresses': () => server.address },
        stop: () => server.stop(),
      };
    },
  });
}
