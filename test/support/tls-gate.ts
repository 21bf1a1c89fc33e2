import { Agent, createServer, request } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loopbackCertificate, testAuthority } from './test-certificates.ts';

/**
 * What stands between servers and looks at what they ask each other: a `Door` sees only bytes. It hands on every request as it is, but those that it
 * holds back.
 */
export interface TlsGate {
  /** Of 127.0.0.1, with TLS. */
  readonly port: number;
  /** Where it leads. */
  leadTo(port: number): void;
  /** Requests whose path matches wait here from now on. */
  hold(path: RegExp): void;
  /** How many wait. */
  readonly held: number;
  /** Lets those that wait through, and holds none any more. */
  release(): void;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

function handOn(agent: Agent, port: number, incoming: IncomingMessage, answer: ServerResponse): void {
  const { method, url, headers } = incoming;
  const outgoing = request({ agent, host: HOST, port, method, path: url, headers }, (given) => {
    answer.writeHead(given.statusCode ?? 502, given.headers);
    given.pipe(answer);
  });
  // Whoever breaks off, the other side is to see it.
  outgoing.on('error', () => answer.destroy());
  answer.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}

/** Opens a gate. */
export async function openTlsGate(): Promise<TlsGate> {
  const { certificate: cert, key } = loopbackCertificate();
  const agent = new Agent({ ca: testAuthority().certificate, keepAlive: true });
  let behind: number | null = null;
  let isHeld: RegExp | null = null;
  let waiting: (() => void)[] = [];
  const server = createServer({ cert, key }, (incoming, answer) => {
    const go = (): void => {
      if (behind === null) answer.destroy();
      else handOn(agent, behind, incoming, answer);
    };
    if (isHeld?.test(incoming.url ?? '') === true) waiting.push(go);
    else go();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    leadTo: (port) => void (behind = port),
    hold: (path) => void (isHeld = path),
    get held() {
      return waiting.length;
    },
    release() {
      isHeld = null;
      const gone = waiting;
      waiting = [];
      for (const go of gone) go();
    },
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
