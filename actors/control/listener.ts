import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { join } from 'node:path';
import { CONTROL_SOCKET } from '../../src/control/control-socket.ts';
import { PROGRAM_FOLDER } from '../../src/kit/program-files.ts';
import { openSocketAddress } from '../../src/kit/socket-address.ts';
import type { TroupeContext } from '../environment.ts';

const CONTROL_FOLDER = join(PROGRAM_FOLDER, 'src/http/control');

/** Where the socket is made, out of everybody's reach until it is nobody's but ours. */
const NURSERY = 'control.new';
const NURSERY_MODE = 0o700;
const SOCKET_MODE = 0o600;

/** The listener for commands. */
export interface ControlListener {
  /** Absolute, or as the data folder is configured. */
  readonly path: string;
  /** Closes it and every connection, and removes the socket. */
  close(): void;
}

/** Loads the HTTP kit and the endpoints: half a second of a processor, and memory, that only a command has to pay for. */
async function loadListener(context: TroupeContext): Promise<RequestListener> {
  const [{ createApp }, { loadEndpoints }] = await Promise.all([
    import('../../src/http/kit/app.ts'),
    import('../../src/http/kit/load-endpoints.ts'),
  ]);
  const { clock, random, metrics, log, env } = context;
  const loaded = await loadEndpoints(CONTROL_FOLDER);
  // Whoever can open the socket may read and write the database itself.
  const endpoints = loaded.map(({ endpoint }) => ({ ...endpoint, auth: 'none' as const, rateLimit: null }));
  const { config, db } = env;
  // All that these endpoints need.
  const services = {
    accounts: context.ref('accounts'),
    pool: context.ref('pool'),
    clock,
    config,
    db,
    random,
  } as Parameters<typeof createApp>[0]['services'];
  return createApp({ endpoints, services, config, log, clock, random, metrics }).listener;
}

/** Listens in a folder that only we can enter, then moves the socket to its place: over that of a server that was killed. */
function listen(server: Server, folder: string): Promise<void> {
  const nursery = join(folder, NURSERY);
  rmSync(nursery, { recursive: true, force: true });
  mkdirSync(nursery, { mode: NURSERY_MODE });
  const address = openSocketAddress(nursery, CONTROL_SOCKET, process.platform);
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: address.path }, () => {
      server.off('error', reject);
      const made = join(nursery, CONTROL_SOCKET);
      chmodSync(made, SOCKET_MODE);
      renameSync(made, join(folder, CONTROL_SOCKET));
      resolve();
    });
  }).finally(() => {
    address.close();
    rmSync(nursery, { recursive: true, force: true });
  });
}

/**
 * Listens for commands on a socket in the data folder, which only the user whom the server runs as can open.
 *
 * @returns null where there can be no socket, as on some file systems and machines: the server goes on without, and the log says so
 */
export async function startControlListener(context: TroupeContext): Promise<ControlListener | null> {
  const folder = context.env.config.data.path;
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
  const path = join(folder, CONTROL_SOCKET);
  try {
    await listen(server, folder);
  } catch (error) {
    // What the system says no to has a code; a path that is too long has a name. The rest is a defect.
    if (!(error instanceof Error) || !('code' in error || error.name === 'SocketPathTooLong')) throw error;
    context.log.warn('commands such as "troupe user create" cannot reach this server', { path, error });
    return null;
  }
  return {
    path,
    close() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      rmSync(path, { force: true });
    },
  };
}
