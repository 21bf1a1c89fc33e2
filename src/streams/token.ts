import { refuse, type Refusal } from '../matrix/refusal.ts';
import { streams as registered } from './registry.ts';
import type { Stream } from './stream.ts';

/** A position of one stream as a client holds it. Epoch 0 for durable streams. */
export interface StreamPositionOfClient {
  readonly epoch: number;
  readonly position: number;
}

/** What a client holds between two syncs: a position per stream name. Opaque text on the wire. */
export interface SyncToken {
  readonly positions: Readonly<Record<string, StreamPositionOfClient>>;
  /** Where sticky events did not fit into the answer. Absent: they were all told, up to the position of the events stream. */
  readonly sticky?: StickyCursor;
}

/**
 * Which sticky events a client has been told of, as positions of the events stream. Rooms are told in two ways: those that the client had before
 * together, and those that came since one after the other, in the order in which they were joined.
 */
export interface StickyCursor {
  /** Rooms that were joined up to `joined`: told up to here. */
  readonly told: number;
  /** Rooms that were joined after this have still to be told from their beginning. */
  readonly joined: number;
  /** The first of those was told up to here; 0: nothing. */
  readonly within: number;
}

/** Longer texts are no tokens of ours. */
export const TOKEN_CHARACTERS_MAX = 1_024;

const PART = /^([a-z])(0|[1-9]\d{0,15})(?:\.(0|[1-9]\d{0,15}))?$/;
/** Letters of {@link StickyCursor}: no stream has them. */
const STICKY_LETTERS = { toldAndJoined: 'y', within: 'z' } as const;
const BEGINNING: StreamPositionOfClient = { epoch: 0, position: 0 };

/**
 * The position of one stream in a token; the beginning when the token does not name the stream.
 *
 * @param stream a stream's name
 */
export function positionIn(token: SyncToken, stream: string): StreamPositionOfClient {
  return token.positions[stream] ?? BEGINNING;
}

/**
 * The text of a token: a letter and a position per stream, `s12_a3_t<epoch>.<seq>`; in-memory streams carry their epoch.
 *
 * @param streams the registry, or another one in tests
 */
export function formatToken(token: SyncToken, streams: readonly Stream[] = registered): string {
  const parts: string[] = [];
  for (const { name, letter, kind } of streams) {
    if (letter === null) continue;
    const { epoch, position } = positionIn(token, name);
    parts.push(kind === 'memory' ? `${letter}${epoch}.${position}` : `${letter}${position}`);
  }
  if (token.sticky !== undefined) {
    const { told, joined, within } = token.sticky;
    parts.push(`${STICKY_LETTERS.toldAndJoined}${told}.${joined}`, `${STICKY_LETTERS.within}${within}`);
  }
  return parts.join('_');
}

function malformed(): Refusal {
  return refuse('M_INVALID_PARAM', 'This is not a token that this server gave out.', { status: 400 });
}

/**
 * Reads the text of a token. Letters that no stream has (any more) are ignored; streams that it does not name are at their
 * beginning.
 *
 * @returns the token as the client holds it, not yet compared with what was ever allocated: see `clampToken`
 *   Refused with 400 M_INVALID_PARAM when it is malformed (Client-Server API v1.19, `GET /sync`, parameter `since`).
 */
export function parseToken(text: string, streams: readonly Stream[] = registered): SyncToken | Refusal {
  if (text.length > TOKEN_CHARACTERS_MAX) return malformed();
  const byLetter = new Map(streams.map((stream) => [stream.letter, stream]));
  const seen = new Set<string>();
  const cursor = { toldAndJoined: [0, 0], within: 0, isThere: false };
  const positions: Record<string, StreamPositionOfClient> = {};
  for (const { name, letter } of streams) if (letter !== null) positions[name] = BEGINNING;
  for (const part of text.split('_')) {
    const [, letter = '', first = '', second] = PART.exec(part) ?? [];
    if (letter === '' || seen.has(letter)) return malformed();
    seen.add(letter);
    const numbers = [Number(first), Number(second ?? 0)];
    if (!numbers.every(Number.isSafeInteger)) return malformed();
    if (letter === STICKY_LETTERS.toldAndJoined) {
      cursor.isThere = true;
      cursor.toldAndJoined = numbers;
    } else if (letter === STICKY_LETTERS.within) cursor.within = Number(first);
    const stream = byLetter.get(letter);
    if (stream === undefined) continue;
    if ((stream.kind === 'memory') !== (second !== undefined)) return malformed();
    positions[stream.name] =
      second === undefined
        ? { epoch: 0, position: Number(first) }
        : { epoch: Number(first), position: Number(second) };
  }
  if (!cursor.isThere) return { positions };
  const [told = 0, joined = 0] = cursor.toldAndJoined;
  return { positions, sticky: { told, joined, within: cursor.within } };
}

/**
 * What a client's token means now: a position of an unknown or older epoch is the beginning of the current one, and nothing is ever
 * in the future.
 *
 * @param limits the highest position of each stream and its current epoch
 */
export function clampToken(token: SyncToken, limits: SyncToken): SyncToken {
  const positions: Record<string, StreamPositionOfClient> = {};
  for (const [stream, limit] of Object.entries(limits.positions)) {
    const { epoch, position } = positionIn(token, stream);
    positions[stream] = {
      epoch: limit.epoch,
      position: epoch === limit.epoch ? Math.min(position, limit.position) : 0,
    };
  }
  return { positions };
}
