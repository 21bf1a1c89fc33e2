import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../kit/clock.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';

/** Largest JSON body in bytes where the endpoint does not say: twenty times the largest event. */
export const BODY_BYTES_MAX = 1_310_720;

/** How long a client may take to send its body, in milliseconds. */
export const BODY_DEADLINE_MS = 30_000;

/** How much of a body that nobody wants is read to keep the connection usable; with more to come it is closed. */
export const BODY_DRAIN_BYTES_MAX = 1_048_576;

/** A whole body; or the client went away before its end. */
export type ReadBody = { readonly kind: 'body'; readonly bytes: Buffer } | { readonly kind: 'aborted' };

function tooLarge(bytesMax: number): Refusal {
  return refuse('M_TOO_LARGE', `The body is larger than ${bytesMax} bytes.`);
}

function late(): Refusal {
  return refuse('M_UNKNOWN', `The body did not arrive within ${BODY_DEADLINE_MS / 1000} seconds.`, {
    status: 408,
  });
}

/** The length that the client declared, or null when it did not. Node's parser has checked that it is a whole number. */
function declaredBytes(request: IncomingMessage): number | null {
  const header = request.headers['content-length'];
  return header === undefined ? null : Number(header);
}

function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect?.toLowerCase() === '100-continue';
}

function collect(request: IncomingMessage, bytesMax: number, clock: Clock): Promise<ReadBody | Refusal> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (outcome: ReadBody | Refusal): void => {
      clock.cancel(timer);
      request.off('data', take).off('end', end).off('close', close).off('error', close);
      resolve(outcome);
    };
    const giveUp = (refusal: Refusal): void => {
      request.pause();
      finish(refusal);
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > bytesMax) giveUp(tooLarge(bytesMax));
      else chunks.push(chunk);
    };
    const end = (): void => {
      const only = chunks.length === 1 ? chunks[0] : undefined;
      finish({ kind: 'body', bytes: only ?? Buffer.concat(chunks, size) });
    };
    const close = (): void => finish({ kind: 'aborted' });
    const timer = clock.after(BODY_DEADLINE_MS, () => giveUp(late()));
    request.on('data', take).on('end', end).on('close', close).on('error', close);
  });
}

/**
 * Reads a request's body whole.
 *
 * @param bytesMax the largest body; a larger one is refused with 413 `M_TOO_LARGE`, at once when its declared length says so
 * @returns the bytes, `aborted`, or a refusal: 413 `M_TOO_LARGE`, 408 `M_UNKNOWN` after {@link BODY_DEADLINE_MS}, 415 `M_UNKNOWN`
 * for an encoding
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  bytesMax: number,
  clock: Clock,
): Promise<ReadBody | Refusal> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    const refusal = refuse('M_UNKNOWN', 'Bodies must not be compressed.', { status: 415 });
    return Promise.resolve(refusal);
  }
  if ((declaredBytes(request) ?? 0) > bytesMax) return Promise.resolve(tooLarge(bytesMax));
  if (request.destroyed) return Promise.resolve({ kind: 'aborted' });
  if (expectsContinue(request)) response.writeContinue();
  return collect(request, bytesMax, clock);
}

/**
 * Must the connection close after an answer that was given before the body was read? A short rest is read and thrown away by Node; a long
 * one, or one of unknown length, would keep the connection busy for nothing; and
 * a body whose reading was given up stays where it is.
 */
export function mustCloseAfter(request: IncomingMessage): boolean {
  if (request.complete) return false;
  if (request.isPaused()) return true;
  const declared = declaredBytes(request);
  if (declared !== null) return declared > BODY_DRAIN_BYTES_MAX || expectsContinue(request);
  return request.headers['transfer-encoding'] !== undefined;
}
