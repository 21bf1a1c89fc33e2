import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Door, openDoor } from './door.ts';
import { type InProcessProgram, startInProcess } from './in-process-program.ts';
import { testAuthority } from './test-certificates.ts';
import { startTroupe, type TroupeProcess } from './troupe-process.ts';

/**
 * Whole servers that federate with each other, and with peers of `federation-peer.ts`, on loopback addresses with TLS. Each is named
 * `127.0.0.1:PORT`, which is the door through which the others reach it, so that nothing needs a name server:
 *
 * - `startTroupeCluster`: each in a process of its own, as users start it; can be stopped, killed and started again.
 * - `startInProcessCluster`: each on threads of this process: cheaper, and the test holds the supervisors.
 */
export interface ClusterMember<Server> {
  readonly serverName: string;
  /** Another one after `restart`. */
  readonly server: Server;
  /** Cut, none of the others reaches it; it still reaches those whose doors are open. */
  readonly door: Door;
  /** Starts it again over the same folder, under the same name; stop or kill it before. */
  restart(): Promise<void>;
}

/** Several servers. */
export interface Cluster<Server> {
  readonly members: readonly ClusterMember<Server>[];
  /** Nobody reaches anybody, until `reunite`. */
  part(): void;
  reunite(): void;
  /** Ends all of them however they are, and removes their folders. */
  dispose(): Promise<void>;
}

export interface ClusterOptions {
  /** How many; two when absent. */
  readonly size?: number;
  readonly gateways?: number;
  /** `TROUPE_…` variables of all of them. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * The variables of a server that federates on loopback addresses.
 *
 * @param folder where the certificates are written
 */
export function federationEnvironment(serverName: string, folder: string): Record<string, string> {
  const files = testAuthority().writeTo(folder);
  return {
    TROUPE_SERVER_NAME: serverName,
    TROUPE_FEDERATION_LISTEN: serverName,
    TROUPE_FEDERATION_TLS_CERTIFICATE: files.certificate,
    TROUPE_FEDERATION_TLS_KEY: files.key,
    TROUPE_FEDERATION_CA_FILE: files.ca,
    TROUPE_FEDERATION_ALLOW_PRIVATE_ADDRESSES: 'true',
    TROUPE_FEDERATION_TRUSTED_KEY_SERVERS: '[]',
  };
}

/** How servers of a kind are started, and where they listen with TLS then. */
interface Kind<Server> {
  start(folder: string, environment: Readonly<Record<string, string>>): Promise<Server>;
  federationPort(server: Server): number | undefined;
}

type Disposable = { dispose(): Promise<void> };

async function startMember<Server extends Disposable>(
  kind: Kind<Server>,
  options: ClusterOptions,
): Promise<ClusterMember<Server> & Disposable> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-cluster-'));
  const door = await openDoor();
  const environment = {
    ...federationEnvironment(door.address, folder),
    TROUPE_FEDERATION_LISTEN: '127.0.0.1:0',
    ...options.environment,
  };
  let server: Server | null = null;
  const startIt = async (): Promise<void> => {
    server = await kind.start(folder, environment);
    const port = kind.federationPort(server);
    if (port === undefined) throw new Error(`${door.address} does not listen with TLS`);
    door.leadTo(port);
  };
  const dispose = async (): Promise<void> => {
    await server?.dispose();
    await door.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await startIt();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    serverName: door.address,
    door,
    get server() {
      if (server === null) throw new Error(`${door.address} has not started`);
      return server;
    },
    restart: startIt,
    dispose,
  };
}

async function startCluster<Server extends Disposable>(
  kind: Kind<Server>,
  options: ClusterOptions,
): Promise<Cluster<Server>> {
  const starting = await Promise.allSettled(
    Array.from({ length: options.size ?? 2 }, () => startMember(kind, options)),
  );
  const members = starting.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const dispose = async (): Promise<void> =>
    void (await Promise.all(members.map((member) => member.dispose())));
  const failed = starting.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await dispose();
    throw failed.reason;
  }
  return {
    members,
    part() {
      for (const { door } of members) door.cut();
    },
    reunite() {
      for (const { door } of members) door.mend();
    },
    dispose,
  };
}

/** Starts servers, each in a process of its own. */
export function startTroupeCluster(options: ClusterOptions = {}): Promise<Cluster<TroupeProcess>> {
  const { gateways = 1 } = options;
  return startCluster(
    {
      start: (folder, environment) => startTroupe({ folder, gateways, environment }),
      federationPort: ({ federationUrl }) =>
        federationUrl === null ? undefined : Number(new URL(federationUrl).port),
    },
    options,
  );
}

/** Starts servers on threads of this process. */
export function startInProcessCluster(options: ClusterOptions = {}): Promise<Cluster<InProcessProgram>> {
  const { gateways = 1 } = options;
  return startCluster(
    {
      start: (folder, environment) => startInProcess({ folder, gateways, environment }),
      federationPort: ({ program }) => program.federationAddress?.port,
    },
    options,
  );
}
