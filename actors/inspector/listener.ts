import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ListenAddress } from '../../src/config/config.ts';
import { PROGRAM_FOLDER } from '../../src/kit/program-files.ts';
import type { TroupeContext } from '../environment.ts';

/** Its own endpoints, and those for whoever watches over the server. */
const FOLDERS: readonly string[] = ['inspector', 'monitoring'].map((name) =>
  join(PROGRAM_FOLDER, 'src', 'http', name),
);

/** The inspector's own listener. */
export interface InspectorListener {
  /** Where it really listens: the port is never 0. */
  readonly address: ListenAddress;
  /** Closes it and every connection. */
  close(): void;
}

/** Loads the HTTP kit and the endpoints: half a second of a processor, and memory, that only who looks has to pay for. */
async function loadListener(context: TroupeContext): Promise<RequestListener> {
  const [{ createApp }, { loadEndpoints }, { refuseWebPages }] = await Promise.all([
    import('../../src/http/kit/app.ts'),
    import('../../src/http/kit/load-endpoints.ts'),
    import('../../src/http/kit/local-guard.ts'),
  ]);
  const { clock, random, metrics, log, env } = context;
  const loaded = (await Promise.all(FOLDERS.map((folder) => loadEndpoints(folder)))).flat();
  const endpoints = loaded.map(({ endpoint }) => ({ ...endpoint, auth: 'none' as const, rateLimit: null }));
  // All that these endpoints need.
  const services = { inspector: context.ref('inspector') } as Parameters<typeof createApp>[0]['services'];
  const { config } = env;
  return createApp({ endpoints, services, config, log, clock, random, metrics, guard: refuseWebPages })
    .listener;
}

/**
 * Serves the inspector's endpoints on `inspector.listen`, to whoever reaches it, but for web pages: keep it on the loopback interface. The
 * same endpoints are on the main port for administrators.
 */
export function startInspectorListener(context: TroupeContext): Promise<InspectorListener> {
  const { host, port } = context.env.config.inspector.listen;
  let loading: Promise<RequestListener> | null = null;
  const server = createServer((request, response) => {
    loading ??= loadListener(context);
    loading.then(
      (listener) => listener(request, response),
      (error: unknown) => {
        response.destroy();
        context.crash(error);
      },
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      const { address, port: actual } = server.address() as AddressInfo;
      const close = (): void => {
        server.close();
        server.closeAllConnections();
      };
      resolve({ address: { host: address, port: actual }, close });
    });
  });
}
