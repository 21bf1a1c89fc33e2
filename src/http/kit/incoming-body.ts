import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../kit/clock.ts';
import type { Counter } from '../../kit/metrics.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';

/** How long a client may be silent in the middle of its body, in milliseconds. */
export const BODY_SILENCE_MS_MAX = 30_000;

/** What became of a body that was passed on. `aborted`: the client went away before its end. */
export type ReceivedBody =
  { readonly kind: 'received'; readonly sizeBytes: number } | { readonly kind: 'aborted' };

/** The body of a request that is no JSON: it is passed on piece by piece and never held whole. */
export interface IncomingBody {
  /** The `Content-Type` header; null for none. */
  readonly contentType: string | null;
  /** The length that the client declares, in bytes; null when it does not. */
  readonly declaredBytes: number | null;
  /**
   * Passes the body on. The next piece is read when `take` has resolved, so that a slow taker slows the client down; nobody is taking any
   * more when this resolves. At most once per request.
   *
   * @param bytesMax the largest body; a larger one is refused with 413 `M_TOO_LARGE`, at once when its declared length says so
   * @returns how much there was, `aborted`, or a refusal: 413 `M_TOO_LARGE`, 408 `M_UNKNOWN` after {@link BODY_SILENCE_MS_MAX} without a byte,
   * 415 `M_UNKNOWN` for an encoding
   * @throws what `take` throws
   */
  receive(bytesMax: number, take: (chunk: Uint8Array) => Promise<void>): Promise<ReceivedBody | Refusal>;
}

function tooLarge(bytesMax: number): Refusal {
  return refuse('M_TOO_LARGE', `The body is larger than ${bytesMax} bytes.`);
}

interface Passing {
  readonly request: IncomingMessage;
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly received: Counter;
  readonly take: (chunk: Uint8Array) => Promise<void>;
}

type Outcome =
  | { readonly kind: 'ended'; readonly value: ReceivedBody | Refusal }
  | { readonly kind: 'failed'; readonly error: unknown };

function passOn({ request, bytesMax, clock, received, take }: Passing): Promise<ReceivedBody | Refusal> {
  return new Promise((resolve, reject) => {
    let sizeBytes = 0;
    let isTaking = false;
    let outcome: Outcome | null = null;
    const watch = () => clock.after(BODY_SILENCE_MS_MAX, () => finish({ kind: 'ended', value: silent() }));
    const silent = (): Refusal =>
      refuse('M_UNKNOWN', `Nothing of the body came for ${BODY_SILENCE_MS_MAX / 1000} seconds.`, {
        status: 408,
      });
    let timer = watch();
    const conclude = (): void => {
      if (outcome === null || isTaking) return;
      if (outcome.kind === 'failed') reject(outcome.error);
      else resolve(outcome.value);
    };
    const finish = (reached: Outcome): void => {
      if (outcome !== null) return;
      outcome = reached;
      clock.cancel(timer);
      request.off('data', pass).off('end', end).off('close', close).off('error', close);
      // What was not read stays where it is, and the connection is closed after the answer.
      request.pause();
      conclude();
    };
    const hand = async (chunk: Buffer): Promise<void> => {
      let failure: Outcome | null = null;
      isTaking = true;
      try {
        await take(chunk);
      } catch (error) {
        failure = { kind: 'failed', error };
      }
      isTaking = false;
      if (outcome !== null) conclude();
      else if (failure !== null) finish(failure);
      else {
        timer = watch();
        request.resume();
      }
    };
    const pass = (chunk: Buffer): void => {
      sizeBytes += chunk.length;
      received.add(chunk.length);
      clock.cancel(timer);
      if (sizeBytes > bytesMax) {
        finish({ kind: 'ended', value: tooLarge(bytesMax) });
        return;
      }
      request.pause();
      void hand(chunk);
    };
    const end = (): void => finish({ kind: 'ended', value: { kind: 'received', sizeBytes } });
    const close = (): void => finish({ kind: 'ended', value: { kind: 'aborted' } });
    request.on('data', pass).on('end', end).on('close', close).on('error', close);
  });
}

/**
 * The body of a request, for endpoints that take other things than JSON.
 *
 * @param received counts the bytes that were read
 */
export function createIncomingBody(
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  received: Counter,
): IncomingBody {
  const { headers } = request;
  const length = headers['content-length'];
  const declaredBytes = length === undefined ? null : Number(length);
  return {
    contentType: headers['content-type'] ?? null,
    declaredBytes,
    receive(bytesMax, take) {
      const encoding = headers['content-encoding'];
      if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
        return Promise.resolve(refuse('M_UNKNOWN', 'Bodies must not be compressed.', { status: 415 }));
      if ((declaredBytes ?? 0) > bytesMax) return Promise.resolve(tooLarge(bytesMax));
      if (request.destroyed && !request.complete) return Promise.resolve({ kind: 'aborted' });
      if (headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
      return passOn({ request, bytesMax, clock, received, take });
    },
  };
}
