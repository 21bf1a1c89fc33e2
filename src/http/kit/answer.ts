import type { ServerResponse } from 'node:http';
import { AskFailed } from '../../../actors/kit/ref.ts';
import { type Refusal, isRefusal, refuse } from '../../matrix/refusal.ts';
import { type FileReply, JsonText, type Reply } from './endpoint.ts';
import { FileBody } from './file-body.ts';

/**
 * What browsers need to see on every answer, errors included, and on every `OPTIONS`. Client-Server API v1.19, "Web Browser Clients";
 * the methods are all that this server knows.
 */
export const CORS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
  'Access-Control-Allow-Headers': 'X-Requested-With, Content-Type, Authorization',
};

/** Names and values in turn, as Node takes them without making an object of them. */
const CORS_HEADER_LIST: readonly string[] = Object.entries(CORS_HEADERS).flat();

/** The header that carries the request's id. */
export const REQUEST_ID_HEADER = 'X-Request-Id';

/** After how long a client should try again when an actor did not answer, in milliseconds. */
export const RETRY_AFTER_FAILED_ASK_MS = 2_000;

/** Statuses that have no body. */
function hasNoBody(status: number): boolean {
  return status === 204 || status === 304;
}

/** What goes over the wire, but for the headers that every answer has. */
export interface Payload {
  readonly status: number;
  readonly body: string | Uint8Array | FileBody;
  readonly contentType: string | null;
  readonly headers: Readonly<Record<string, string>> | null;
}

const NO_HEADERS = null;

function jsonPayload(status: number, text: string, headers: Payload['headers']): Payload {
  return { status, body: text, contentType: 'application/json', headers };
}

function bodyPayload(status: number, body: unknown, headers: Payload['headers']): Payload {
  if (body instanceof JsonText) return jsonPayload(status, body.text, headers);
  if (body instanceof Uint8Array) return { status, body, contentType: 'application/octet-stream', headers };
  const text = JSON.stringify(body) as string | undefined;
  if (text !== undefined) return jsonPayload(status, text, headers);
  return { status, body: '', contentType: null, headers };
}

/** The JSON text of a refusal: `{errcode, error, …}`. */
export function refusalText({ errcode, error, extra }: Refusal): string {
  return JSON.stringify({ errcode, error, ...extra });
}

function refusalPayload(refusal: Refusal): Payload {
  const { extra, status } = refusal;
  const text = refusalText(refusal);
  const waitMs = extra?.['retry_after_ms'];
  if (typeof waitMs !== 'number') return jsonPayload(status, text, NO_HEADERS);
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  // A script may read this header only where it is said to.
  const headers = { 'Retry-After': String(seconds), 'Access-Control-Expose-Headers': 'Retry-After' };
  return jsonPayload(status, text, headers);
}

/** Is this an answer that is a file? */
export function isFileReply(result: unknown): result is FileReply {
  return typeof result === 'object' && result !== null && (result as { kind?: unknown }).kind === 'file';
}

function isReply(result: unknown): result is Reply<unknown> {
  return typeof result === 'object' && result !== null && (result as { kind?: unknown }).kind === 'reply';
}

/**
 * Turns what a handler gave into what is sent: a refusal as `{errcode, error, …}` with its status, and `Retry-After` where it says when; a
 * {@link Reply} with its status and headers; bytes as they are; {@link JsonText} as it is; anything else as JSON with status 200.
 *
 * @throws TypeError for a value that is not JSON: a defect of the handler
 */
export function payloadOf(result: unknown): Payload {
  if (isRefusal(result)) return refusalPayload(result);
  if (isReply(result)) return bodyPayload(result.status, result.body, result.headers ?? NO_HEADERS);
  return bodyPayload(200, result, NO_HEADERS);
}

/**
 * Writes an answer whole, with its length; of a file only the head.
 *
 * @param close the connection ends after this answer
 */
export function writeAnswer(
  response: ServerResponse,
  payload: Payload,
  requestId: string,
  close: boolean,
): void {
  const { status, body, contentType, headers } = payload;
  const list: (string | number)[] = [...CORS_HEADER_LIST, REQUEST_ID_HEADER, requestId];
  if (contentType !== null && headers?.['Content-Type'] === undefined) list.push('Content-Type', contentType);
  if (!hasNoBody(status))
    list.push('Content-Length', typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength);
  if (close) list.push('Connection', 'close');
  if (headers !== null) list.push(...Object.entries(headers).flat());
  response.writeHead(status, list);
  if (!(body instanceof FileBody)) response.end(hasNoBody(status) ? undefined : body);
}

/**
 * What the client gets for something thrown. An ask that failed is 503 with `retry_after_ms`: the effect may or may not have happened, and
 * requests that change something carry transaction ids. Everything else is a defect: 500, and only the log knows more.
 */
export function refusalOfThrown(thrown: unknown, requestId: string): Refusal {
  if (thrown instanceof AskFailed) {
    const why = thrown.reason === 'mailbox-full' ? 'is busy' : 'did not answer in time';
    const extra = { retry_after_ms: RETRY_AFTER_FAILED_ASK_MS };
    return refuse('M_UNKNOWN', `The server ${why}; try again later.`, { status: 503, extra });
  }
  return refuse('M_UNKNOWN', `Internal server error; it is in the server's log as request ${requestId}.`, {
    status: 500,
  });
}
