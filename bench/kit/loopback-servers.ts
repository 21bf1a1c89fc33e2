import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ownKeyDocument } from '../../src/federation/trust/key-document.ts';
import { verifyKeyOf } from '../../src/matrix/signing.ts';
import { FOREIGN_KEY } from '../../test/support/foreign-room.ts';
import { loopbackCertificate } from '../../test/support/test-certificates.ts';

/** How long is waited for what is under way, in milliseconds. */
const WAIT_MS = 120_000;

/** Other servers, all on this process: they say what their keys are, take every transaction, and look at nothing but how many events it has. */
export interface LoopbackServers {
  /** `127.0.0.1:PORT` of each. */
  readonly names: readonly string[];
  /** Transactions that came since `forget`. */
  transactions(): number;
  /** Counts from nought again. */
  forget(): void;
  /** Resolves when each of the first `servers` has got so many events since `forget`. */
  until(servers: number, events: number): Promise<void>;
  close(): Promise<void>;
}

interface Taken {
  readonly events: number[];
  transactions: number;
  look: () => void;
}

function countEvents(body: string): number {
  const { pdus } = JSON.parse(body) as { readonly pdus: readonly unknown[] };
  return pdus.length;
}

function serve(taken: Taken, index: number, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => void chunks.push(chunk));
  request.on('end', () => {
    let answer = '{"pdus":{}}';
    if (request.url === '/_matrix/key/v2/server') {
      const own = { ...verifyKeyOf(FOREIGN_KEY), retiredTs: null };
      answer = JSON.stringify(ownKeyDocument(request.headers.host ?? '', [own], [FOREIGN_KEY], Date.now()));
    } else {
      taken.transactions += 1;
      taken.events[index] = (taken.events[index] ?? 0) + countEvents(Buffer.concat(chunks).toString());
      taken.look();
    }
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
  });
}

function listen(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}

function end(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function waiting({ events }: Taken, servers: number, wanted: number): number {
  return Array.from({ length: servers }, (_, index) => events[index] ?? 0).filter((had) => had < wanted)
    .length;
}

/** Opens so many of them, with TLS. */
export async function openLoopbackServers(count: number): Promise<LoopbackServers> {
  const { certificate, key } = loopbackCertificate();
  const taken: Taken = { events: [], transactions: 0, look: () => undefined };
  const servers = Array.from({ length: count }, (_, index) =>
    createServer({ cert: certificate, key, keepAliveTimeout: WAIT_MS }, (request, response) =>
      serve(taken, index, request, response),
    ),
  );
  const names = await Promise.all(servers.map(listen));
  return {
    names,
    transactions: () => taken.transactions,
    forget() {
      taken.events.length = 0;
      taken.transactions = 0;
    },
    until: (some, events) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          const late = waiting(taken, some, events);
          reject(new Error(`${late} of ${some} servers have not got ${events} events within ${WAIT_MS} ms`));
        }, WAIT_MS);
        taken.look = () => {
          if (waiting(taken, some, events) > 0) return;
          taken.look = () => undefined;
          clearTimeout(timer);
          resolve();
        };
        taken.look();
      }),
    close: async () => void (await Promise.all(servers.map(end))),
  };
}
