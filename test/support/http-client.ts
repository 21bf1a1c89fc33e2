import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import type { Json } from '../../src/kit/json.ts';
import { getSpecAnswers } from './spec-answers.ts';

/** An answer, read whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The JSON of the body; null for an answer that is not JSON. */
  readonly body: Json;
}

/** What to send beside method and path. */
export interface HttpRequestOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly rawBody?: string | Uint8Array;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** The access token; null for none. The client's own when absent. */
  readonly token?: string | null;
  /** Ends the request: the promise rejects and the connection closes. */
  readonly signal?: AbortSignal;
  /** Says that an answer is not what the specification says, on purpose. */
  readonly uncheckedBecause?: string;
}

/** A client for tests. It keeps its connections until it is closed, and refuses answers that break the specification. */
export interface HttpClient {
  /** @param path percent-encoded already; see {@link pathOf} */
  request(method: string, path: string, options?: HttpRequestOptions): Promise<HttpAnswer>;
  get(path: string, options?: HttpRequestOptions): Promise<HttpAnswer>;
  put(path: string, body: unknown, options?: HttpRequestOptions): Promise<HttpAnswer>;
  post(path: string, body: unknown, options?: HttpRequestOptions): Promise<HttpAnswer>;
  delete(path: string, options?: HttpRequestOptions): Promise<HttpAnswer>;
  /** The same connections with another access token. */
  withToken(token: string | null): HttpClient;
  close(): void;
}

/** A path with its parts percent-encoded: ``pathOf`/_matrix/client/v3/rooms/${roomId}/leave` ``. */
export function pathOf(texts: TemplateStringsArray, ...parts: readonly string[]): string {
  return texts.reduce((path, text, index) => path + text + encodeURIComponent(parts[index] ?? ''), '');
}

function withQuery(path: string, query: HttpRequestOptions['query']): string {
  if (query === undefined) return path;
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (typeof value === 'object') for (const item of value) search.append(name, item);
    else search.append(name, String(value));
  }
  return `${path}?${search.toString()}`;
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function answerOf(response: IncomingMessage): Promise<HttpAnswer> {
  const text = await readText(response);
  const isJson = response.headers['content-type'] === 'application/json' && text !== '';
  const body = isJson ? (JSON.parse(text) as Json) : null;
  return { status: response.statusCode ?? 0, headers: response.headers, text, body };
}

function send(
  agent: Agent,
  address: { readonly host: string; readonly port: number },
  method: string,
  path: string,
  options: HttpRequestOptions,
): Promise<HttpAnswer> {
  const { body, token, signal } = options;
  const payload = options.rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
  const headers: Record<string, string> = { ...options.headers };
  if (token !== undefined && token !== null) headers['Authorization'] = `Bearer ${token}`;
  if (payload !== undefined) {
    headers['Content-Type'] ??= 'application/json';
    headers['Content-Length'] ??= String(Buffer.byteLength(payload));
  }
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { agent, ...address, method, path: withQuery(path, options.query), headers, ...(signal && { signal }) },
      (response) => {
        answerOf(response).then(resolve, reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

/**
 * Makes a client of one server.
 *
 * @param token the access token of its requests; null for none
 */
export function createHttpClient(
  address: { readonly host: string; readonly port: number },
  token: string | null = null,
): HttpClient {
  const agent = new Agent({ keepAlive: true });

  const clientWith = (own: string | null): HttpClient => {
    const request: HttpClient['request'] = async (method, path, options = {}) => {
      const answer = await send(agent, address, method, path, { token: own, ...options });
      const { status, headers, body, text } = answer;
      const contentType = headers['content-type'] ?? null;
      const problems =
        options.uncheckedBecause === undefined
          ? getSpecAnswers().problems(method, path.split('?')[0] ?? path, { status, contentType, body })
          : [];
      if (problems.length > 0)
        throw new Error(`${method} ${path} answered ${status} ${text}: ${problems.join('; ')}`);
      return answer;
    };
    return {
      request,
      get: (path, options) => request('GET', path, options),
      put: (path, body, options) => request('PUT', path, { body, ...options }),
      post: (path, body, options) => request('POST', path, { body, ...options }),
      delete: (path, options) => request('DELETE', path, options),
      withToken: clientWith,
      close: () => agent.destroy(),
    };
  };
  return clientWith(token);
}
