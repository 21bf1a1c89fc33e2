import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

/** A web server of strangers, on the loopback interface. */
export interface PageServer {
  readonly port: number;
  /** The paths that were asked for, in their order. */
  readonly asked: string[];
  /** What a path answers; 404 for the others. */
  on(path: string, serve: Serve): void;
  /** A page of HTML. */
  page(path: string, html: string | Uint8Array, headers?: Readonly<Record<string, string>>): void;
  close(): Promise<void>;
}

/** Starts a server. Close it at the end of the test. */
export async function startPageServer(): Promise<PageServer> {
  const answers = new Map<string, Serve>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const serve = answers.get(request.url ?? '');
    if (serve === undefined) response.writeHead(404).end();
    else serve(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const on = (path: string, serve: Serve): void => void answers.set(path, serve);
  return {
    port,
    asked,
    on,
    page: (path, html, headers) =>
      on(path, (_request, response) =>
        response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', ...headers }).end(html),
      ),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
