import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Counter } from '../../kit/metrics.ts';
import { refuse } from '../../matrix/refusal.ts';
import { type Payload, payloadOf } from './answer.ts';
import { saysClientGone } from './client-gone.ts';
import type { FileReply } from './endpoint.ts';
import { FileBody } from './file-body.ts';

/** How much of a file is read at a time, in bytes. */
const CHUNK_BYTES = 65_536;

/** How long a client may take nothing of an answer, in milliseconds. */
export const ANSWER_STALL_MS_MAX = 120_000;

/** Bytes `start` to `end`, both included. */
interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const RANGE = /^bytes=(\d*)-(\d*)$/i;

/**
 * Reads a `Range` header. Several ranges at once, other units and nonsense count as none, which is always allowed. RFC 9110, section 14.
 *
 * @returns `none`, or `unsatisfiable` for one that begins behind the end
 */
export function parseRange(header: string, sizeBytes: number): ByteRange | 'none' | 'unsatisfiable' {
  const match = RANGE.exec(header.trim());
  if (match === null) return 'none';
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return 'none';
  if (first === '') {
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? 'unsatisfiable' : { start: sizeBytes - length, end: sizeBytes - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'none';
  if (start >= sizeBytes) return 'unsatisfiable';
  return { start, end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) };
}

/** Does an `If-None-Match` header name this tag? Weak and strong tags are alike here. RFC 9110, section 13.1.2. */
function namesTag(header: string, etag: string): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}

function rangeOf(method: string, headers: IncomingHttpHeaders, file: FileReply, etag: string) {
  const { range, 'if-range': onlyIf } = headers;
  const isAsked = method === 'GET' && range !== undefined && (onlyIf === undefined || onlyIf === etag);
  return isAsked ? parseRange(range, file.sizeBytes) : 'none';
}

/**
 * Decides what of a file is sent, and opens it when anything is: 200, 206 for a range, 304 for what the client has, 416 for a range behind
 * the end. To `HEAD` the head alone. RFC 9110.
 *
 * @throws Error (rejection) when the file cannot be opened
 */
export async function openFilePayload(request: IncomingMessage, file: FileReply): Promise<Payload> {
  const { method = 'GET', headers: asked } = request;
  if (file.around !== undefined) {
    const body = new FileBody(await open(file.path, 'r'), 0, file.sizeBytes, file.around);
    return { status: 200, body, contentType: file.contentType, headers: file.headers };
  }
  const etag = `"${file.etag}"`;
  const headers = { ...file.headers, ETag: etag, 'Accept-Ranges': 'bytes' };
  const tags = asked['if-none-match'];
  if (tags !== undefined && namesTag(tags, etag))
    return { status: 304, body: '', contentType: null, headers };
  const range = rangeOf(method, asked, file, etag);
  if (range === 'unsatisfiable') {
    const refusal = refuse('M_UNKNOWN', 'The range begins behind the end of the file.', { status: 416 });
    return { ...payloadOf(refusal), headers: { 'Content-Range': `bytes */${file.sizeBytes}` } };
  }
  const { contentType, sizeBytes } = file;
  const start = range === 'none' ? 0 : range.start;
  const byteLength = range === 'none' ? sizeBytes : range.end - range.start + 1;
  const body = new FileBody(await open(file.path, 'r'), start, byteLength);
  if (range === 'none') return { status: 200, body, contentType, headers };
  const contentRange = `bytes ${range.start}-${range.end}/${sizeBytes}`;
  return { status: 206, body, contentType, headers: { ...headers, 'Content-Range': contentRange } };
}

/**
 * Sends a part of a file after its head, as fast as the client takes it, and closes it.
 *
 * @param sent counts the bytes that were read for the client
 * @returns whether all of it was handed over; if not, the connection is closed
 */
export async function sendFile(
  response: ServerResponse,
  body: FileBody,
  { clock, sent, log }: { readonly clock: Clock; readonly sent: Counter; readonly log: Logger },
): Promise<boolean> {
  const { handle, start, fileBytes, head, tail } = body;
  let timer = clock.after(ANSWER_STALL_MS_MAX, () => response.destroy());
  async function* watched(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let missing = fileBytes;
    if (head.byteLength > 0) yield head;
    for await (const chunk of chunks) {
      missing -= chunk.byteLength;
      clock.cancel(timer);
      timer = clock.after(ANSWER_STALL_MS_MAX, () => response.destroy());
      sent.add(chunk.byteLength);
      yield chunk;
    }
    // The client waits for the length that it was told: cutting it off is all that is left.
    if (missing > 0) throw new Error(`a file is ${missing} bytes shorter than its row says`);
    if (tail.byteLength > 0) yield tail;
  }
  try {
    if (response.req.method === 'HEAD' || body.byteLength === 0) {
      response.end();
      return true;
    }
    // Of an empty file there is no last byte to be named.
    const stream =
      fileBytes === 0
        ? Readable.from([])
        : handle.createReadStream({
            start,
            end: start + fileBytes - 1,
            highWaterMark: CHUNK_BYTES,
            autoClose: false,
          });
    await pipeline(stream, watched, response);
    return true;
  } catch (error) {
    // The head is out: all that can be done is to cut the answer off. Clients that go away, or take too long, are nobody's fault.
    response.destroy();
    if (!saysClientGone(error)) log.error('a file could not be sent', { error });
    return false;
  } finally {
    clock.cancel(timer);
    await handle.close();
  }
}
