import type { InputOf, OutputOf } from '../../actors/kit/protocol.ts';
import type { Clock } from '../kit/clock.ts';
import type { Metrics } from '../kit/metrics.ts';
import type { FactSink } from './cache.ts';
import type { PositionContent } from './message-batches.ts';
import type { StreamOwnerProtocol } from './message.ts';
import type { OwnerTransport } from './publisher.ts';
import type { Stream } from './stream.ts';

/** What the owner of any stream is made of. */
export interface OwnedStreamOptions {
  /** The actor's name. */
  readonly owner: string;
  readonly transport: OwnerTransport;
  /** The caches of the owner's own thread, or null where there are none. */
  readonly caches: FactSink | null;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Takes a defect that nobody waits for: the owner is to crash. */
  readonly crash: (error: unknown) => void;
}

type Input<Name extends keyof StreamOwnerProtocol> = InputOf<StreamOwnerProtocol, Name>;
type Output<Name extends keyof StreamOwnerProtocol> = OutputOf<StreamOwnerProtocol, Name>;

/** One stream as it answers the messages that every owner understands. */
export interface StreamServer {
  readonly stream: string;
  subscribe(input: Input<'stream.subscribe'>): void;
  unsubscribe(input: Input<'stream.unsubscribe'>): void;
  acknowledge(input: Input<'stream.acknowledge'>): void;
  read(input: Input<'stream.read'>): Output<'stream.read'>;
  /** Ends its timers. */
  close(): void;
}

/** What one position holds, with what its rows make untrue. */
export function contentOf<Row>(
  stream: Stream<string, Row>,
  position: number,
  rows: readonly Row[],
): PositionContent {
  return { position, rows, invalidations: rows.flatMap((row) => stream.invalidates(row)) };
}

/** How a subscriber wants to be told of a stream. */
export function wishOf(
  stream: Stream,
  { positionsOnly }: Input<'stream.subscribe'>,
): { readonly positionsOnly: boolean } {
  return { positionsOnly: positionsOnly?.includes(stream.name) ?? false };
}
