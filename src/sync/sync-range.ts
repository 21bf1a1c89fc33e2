import type { StreamViews } from '../streams/view.ts';
import type { StickyCursor, StreamPositionOfClient, SyncToken } from '../streams/token.ts';

/** Before every position of the events stream, history included. */
export const BEGINNING = Number.MIN_SAFE_INTEGER;

/** What one answer covers: on each stream the rows with `from < position <= to`. */
export interface SyncRange {
  readonly isInitial: boolean;
  /** The view's vector, taken once: what the client gets as `next_batch`. */
  readonly upTo: SyncToken;
  /** Exclusive. 0 for a first sync and for an in-memory stream that has begun a new life since. */
  from(stream: string): number;
  /** Inclusive. */
  to(stream: string): number;
  /** What the client has been told of sticky events, where that is not everything up to its position of the events stream. */
  readonly sticky: StickyCursor | null;
  /** The client has rows of an earlier life of an in-memory stream. */
  hasNewEpoch(stream: string): boolean;
}

/**
 * The range of an answer. A position that is ahead of the view (a client of a restored database, say) counts as the view's
 * (STREAMS.md 4.8); one of another epoch counts as the beginning (STREAMS.md 2.4).
 *
 * @param since what the client holds; null for a first sync
 * @param upTo the view's vector at the start of this answer
 */
export function makeSyncRange(since: SyncToken | null, upTo: SyncToken): SyncRange {
  const to = (stream: string): number => upTo.positions[stream]?.position ?? 0;
  const held = (stream: string): StreamPositionOfClient | undefined => since?.positions[stream];
  const hasNewEpoch = (stream: string): boolean => {
    const position = held(stream);
    if (position === undefined || position.position === 0) return false;
    return position.epoch !== (upTo.positions[stream]?.epoch ?? 0);
  };
  return {
    isInitial: since === null,
    upTo,
    sticky: since?.sticky ?? null,
    to,
    hasNewEpoch,
    from(stream) {
      const position = held(stream);
      if (position === undefined || hasNewEpoch(stream)) return 0;
      return Math.min(position.position, to(stream));
    },
  };
}

/** The range from `since` to what the view has now. */
export function currentRange(streams: StreamViews, since: SyncToken | null): SyncRange {
  return makeSyncRange(since, streams.now());
}

/** A token like `token` with another position of one stream. */
export function withPosition(token: SyncToken, stream: string, position: number): SyncToken {
  const epoch = token.positions[stream]?.epoch ?? 0;
  return { ...token, positions: { ...token.positions, [stream]: { epoch, position } } };
}

/** A token like `token` with the position of one stream as `other` has it. */
export function withPositionOf(token: SyncToken, stream: string, other: SyncToken): SyncToken {
  const position = other.positions[stream];
  return position === undefined ? token : { ...token, positions: { ...token.positions, [stream]: position } };
}
