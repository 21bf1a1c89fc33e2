import { createApp } from '../../src/http/kit/app.ts';
import { type HttpServer, startHttpServer } from '../../src/http/kit/http-server.ts';
import { loadEndpoints } from '../../src/http/kit/load-endpoints.ts';
import { refuseWebPages } from '../../src/http/kit/local-guard.ts';
import type { Services } from '../../src/http/kit/services.ts';
import type { TroupeContext } from '../environment.ts';

const INSPECTOR_FOLDER = new URL('../../src/http/inspector/', import.meta.url).pathname;

/**
 * Serves the inspector's endpoints on `inspector.listen`, to whoever reaches it, but for web pages: keep it on the loopback interface. The same endpoints are
 * on the main port for administrators.
 */
export async function startInspectorListener(context: TroupeContext): Promise<HttpServer> {
  const { clock, random, metrics, log, env } = context;
  const loaded = await loadEndpoints(INSPECTOR_FOLDER);
  const endpoints = loaded.map(({ endpoint }) => ({ ...endpoint, auth: 'none' as const, rateLimit: null }));
  // All that these endpoints need.
  const services = { inspector: context.ref('inspector') } as Omit<Services, 'served'>;
  const { config } = env;
  const app = createApp({ endpoints, services, config, log, clock, random, metrics, guard: refuseWebPages });
  return startHttpServer({ app, address: config.inspector.listen, reusePort: false, clock, metrics });
}
