import { expect } from 'chai';
import { createHttpClient, type HttpAnswer } from './http-client.ts';
import { type Person, personOf } from './person.ts';

/** One send: its text is its transaction id, so that the timeline tells which sends are there. */
export interface Sent {
  readonly txnId: string;
  /** Of an acknowledged send. */
  readonly eventId: string | null;
}

/** What went wrong with a send: the status and body of the answer, or what became of the connection. */
export interface Failure {
  readonly txnId: string;
  readonly status: number | null;
  readonly detail: string;
  readonly retryAfterMs: number | null;
}

/** Somebody who sends one message after the other, each until it is acknowledged. */
export interface Writer {
  readonly name: string;
  /** Everything that was acknowledged, in order. */
  readonly acknowledged: readonly Sent[];
  readonly failures: readonly Failure[];
  /** What was sent and not acknowledged; null when there is none. */
  readonly open: string | null;
  /**
   * Sends until `isOver` says so, or, without `beforeRetry`, until the first failure. What was open before comes first.
   */
  write(address: Address, options: WriteOptions): Promise<void>;
  /** Sends the last acknowledged message again: nothing new may come of it. */
  repeatLast(address: Address): Promise<void>;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface WriteOptions {
  /** Asked before each new message. */
  isOver(): boolean;
  /** Called after each acknowledgement. */
  acknowledged?(): void;
  /** Called before a retry; a writer without it ends with its first failure. */
  beforeRetry?(): Promise<void>;
}

function failureOf(txnId: string, outcome: HttpAnswer | Error): Failure {
  if (outcome instanceof Error) {
    const { code } = outcome as NodeJS.ErrnoException;
    return { txnId, status: null, detail: code ?? outcome.message, retryAfterMs: null };
  }
  const body = (outcome.body ?? {}) as { readonly retry_after_ms?: number };
  return {
    txnId,
    status: outcome.status,
    detail: outcome.text,
    retryAfterMs: body.retry_after_ms ?? null,
  };
}

/** Makes a writer; nothing is sent before `write`. */
export function createWriter(name: string, person: Person, roomId: string): Writer {
  const acknowledged: Sent[] = [];
  const failures: Failure[] = [];
  let next = 0;
  let open: string | null = null;
  return {
    name,
    acknowledged,
    failures,
    get open() {
      return open;
    },
    async repeatLast(address) {
      const last = acknowledged.at(-1);
      if (last === undefined) return;
      const http = createHttpClient(address);
      const eventId = await personOf(http, person.userId, person.token).send(roomId, last.txnId, last.txnId);
      http.close();
      expect(eventId, last.txnId).to.equal(last.eventId);
    },
    async write(address, options) {
      const http = createHttpClient(address);
      const self = personOf(http, person.userId, person.token);
      try {
        while (open !== null || !options.isOver()) {
          open ??= `${name}-${next++}`;
          const txnId = open;
          const outcome = await self.trySend(roomId, txnId, txnId).catch((error: Error) => error);
          if (!(outcome instanceof Error) && outcome.status === 200) {
            acknowledged.push({ txnId, eventId: (outcome.body as { event_id: string }).event_id });
            open = null;
            options.acknowledged?.();
            continue;
          }
          failures.push(failureOf(txnId, outcome));
          if (options.beforeRetry === undefined) return;
          await options.beforeRetry();
        }
      } finally {
        http.close();
      }
    },
  };
}

/** What a connection may become when its server's process or thread ends. */
const LOST_CONNECTION = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'socket hang up', 'aborted']);

/** True for what a client is to try again: 503 that says when, or a lost connection. */
export function isRetryable({ status, retryAfterMs, detail }: Failure): boolean {
  return status === null ? LOST_CONNECTION.has(detail) : status === 503 && retryAfterMs !== null;
}

/** Checks that each acknowledged send is in the timeline exactly once, each other one at most once, and nothing else. */
export function expectNothingLostOrDoubled(writers: readonly Writer[], texts: readonly string[]): void {
  const times = new Map<string, number>();
  for (const text of texts) times.set(text, (times.get(text) ?? 0) + 1);
  const doubled = [...times].filter(([, count]) => count > 1);
  expect(doubled, 'doubled').to.deep.equal([]);
  const acknowledged = writers.flatMap((writer) => writer.acknowledged.map(({ txnId }) => txnId));
  expect(
    acknowledged.filter((txnId) => !times.has(txnId)),
    'lost',
  ).to.deep.equal([]);
  const known = new Set([...acknowledged, ...writers.flatMap(({ open }) => (open === null ? [] : [open]))]);
  expect(
    [...times.keys()].filter((text) => !known.has(text)),
    'never sent',
  ).to.deep.equal([]);
}
