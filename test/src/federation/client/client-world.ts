import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../../../src/config/config.ts';
import { createFederationClient } from '../../../../src/federation/client/create-client.ts';
import type { NameLookup, ServiceTarget } from '../../../../src/federation/client/name-lookup.ts';
import type { FederationClient } from '../../../../src/federation/federation-client.ts';
import { type Clock, systemClock } from '../../../../src/kit/clock.ts';
import { silentLogger } from '../../../../src/kit/logger.ts';
import { makeServerKey, verifyKeyOf } from '../../../../src/matrix/signing.ts';
import { silentMetrics } from '../../../support/database.ts';
import { testAuthority } from '../../../support/test-certificates.ts';

/** The server whose client is tested. */
export const OWN_NAME = 'own.test';
const OWN_KEY = makeServerKey(new Uint8Array(32).fill(9), 'own');
export const OWN_VERIFY_KEY = verifyKeyOf(OWN_KEY);

/** What the client noticed of a server. */
export interface Noticed {
  readonly serverName: string;
  readonly what: 'heard' | 'unreachable';
}

export interface ClientWorld {
  readonly client: FederationClient;
  readonly noticed: readonly Noticed[];
  /** Server name → until when it counts as out of reach. */
  readonly outOfReach: Map<string, number>;
  /** Host → addresses. */
  readonly addresses: Map<string, readonly string[]>;
  readonly services: Map<string, readonly ServiceTarget[]>;
  close(): void;
}

/** A client over real sockets, whose name server is the test. */
export function openClientWorld(
  options: {
    readonly allowPrivateAddresses?: boolean;
    readonly trustsTestAuthority?: boolean;
    readonly wellKnownPort?: number;
    readonly clock?: Clock;
  } = {},
): ClientWorld {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-client-'));
  const { trustsTestAuthority = true, allowPrivateAddresses = true, clock = systemClock } = options;
  const caFile = trustsTestAuthority ? join(folder, 'ca.pem') : '';
  if (trustsTestAuthority) writeFileSync(caFile, testAuthority().certificate);
  const noticed: Noticed[] = [];
  const outOfReach = new Map<string, number>();
  const addresses = new Map<string, readonly string[]>();
  const services = new Map<string, readonly ServiceTarget[]>();
  const names: NameLookup = {
    addresses: (host) => Promise.resolve(addresses.get(host) ?? (/^[0-9.]+$|:/.test(host) ? [host] : [])),
    service: (name) => Promise.resolve(services.get(name) ?? []),
  };
  const client = createFederationClient({
    config: { server: { name: OWN_NAME }, federation: { allowPrivateAddresses, caFile } } as Config,
    serverKey: OWN_KEY,
    clock,
    metrics: silentMetrics,
    log: silentLogger,
    names,
    reachability: {
      retryTs: (serverName) => Promise.resolve(outOfReach.get(serverName) ?? null),
      noteHeard: (serverName) => void noticed.push({ serverName, what: 'heard' }),
      noteUnreachable: (serverName) => void noticed.push({ serverName, what: 'unreachable' }),
    },
    ...(options.wellKnownPort !== undefined && { wellKnownPort: options.wellKnownPort }),
  });
  return {
    client,
    noticed,
    outOfReach,
    addresses,
    services,
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
