import { Agent, request } from 'node:https';
import type { Json } from '../../src/kit/json.ts';
import { testAuthority } from './test-certificates.ts';

/** An answer, read whole. */
export interface TlsAnswer {
  readonly status: number;
  readonly text: string;
  /** The JSON of the body; null for an answer that is not JSON. */
  readonly body: Json;
}

export interface TlsRequest {
  readonly body?: Json | Uint8Array;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** From which address of this machine. */
  readonly localAddress?: string;
}

/** A client that trusts the tests' authority. */
export interface TlsClient {
  /** @param path percent-encoded already */
  ask(method: string, path: string, options?: TlsRequest): Promise<TlsAnswer>;
  close(): void;
}

function bytesOf(body: TlsRequest['body']): Uint8Array | string | undefined {
  return body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body);
}

/** Makes a client of one port of this machine. */
export function createTlsClient(port: number): TlsClient {
  const agent = new Agent({ keepAlive: true, ca: testAuthority().certificate });
  return {
    ask(method, path, { body, token, headers, localAddress } = {}) {
      const sent = bytesOf(body);
      return new Promise((resolve, reject) => {
        const outgoing = request(
          {
            agent,
            host: '127.0.0.1',
            port,
            method,
            path,
            localAddress,
            headers: {
              ...(token !== undefined && { authorization: `Bearer ${token}` }),
              ...(sent !== undefined && { 'content-length': Buffer.byteLength(sent) }),
              ...headers,
            },
          },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('error', reject);
            response.on('end', () => {
              const text = Buffer.concat(chunks).toString();
              const isJson = response.headers['content-type'] === 'application/json' && text !== '';
              resolve({
                status: response.statusCode ?? 0,
                text,
                body: isJson ? (JSON.parse(text) as Json) : null,
              });
            });
          },
        );
        outgoing.on('error', reject);
        outgoing.end(sent);
      });
    },
    close: () => agent.destroy(),
  };
}
