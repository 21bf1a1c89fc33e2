import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a gateway was told. */
// What was sent is looked into at many depths; chai says what is missing.
// oxlint-disable-next-line typescript/no-explicit-any
export type Told = any;

/** A push gateway whose answers the test gives. */
export interface PushGateway {
  readonly url: string;
  /** Everything that was taken or refused, in order. */
  readonly told: Told[];
  /** How the next ones are answered. */
  answer: { status: number; body: string } | 'silence';
  /** Resolves when so many were told, from the beginning. */
  heard(count: number): Promise<void>;
  close(): Promise<void>;
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** Opens a gateway. Push Gateway API v1.19. */
export async function openPushGateway(): Promise<PushGateway> {
  const told: Told[] = [];
  let waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      told.push((JSON.parse(Buffer.concat(chunks).toString()) as { notification: unknown }).notification);
      if (gateway.answer !== 'silence') {
        response.writeHead(gateway.answer.status, { 'content-type': 'application/json' });
        response.end(gateway.answer.body);
      }
      for (const { resolve } of waiting.filter(({ count }) => count <= told.length)) resolve();
      waiting = waiting.filter(({ count }) => count > told.length);
    });
  });
  const port = await listen(server);
  const gateway: PushGateway = {
    url: `http://127.0.0.1:${port}/_matrix/push/v1/notify`,
    told,
    answer: { status: 200, body: '{"rejected":[]}' },
    heard: (count) =>
      new Promise((resolve) => {
        if (told.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return gateway;
}
