import type { ReadDb } from '../../db/kit/read-db.ts';
import type { Fact } from './fact.ts';

/** One entry of a stream. Several rows may stand under one position; they are never split across pages or messages. */
export interface StreamRow<Row> {
  readonly position: number;
  readonly row: Row;
}

/** One page of catch-up, rows ascending. `to` is the position up to which the page is complete. */
export interface StreamPage<Row> {
  readonly rows: readonly StreamRow<Row>[];
  readonly to: number;
}

/** A table whose `column` holds positions of a stream. The start position and the schema test derive from these. */
export interface StreamTable {
  readonly table: string;
  readonly column: string;
}

/**
 * Who is woken by a row: long polls park under their user and under each joined room.
 * `user:@a:b` or `room:!c` or `everyone`.
 */
export type WakeKey = `user:${string}` | `room:${string}` | 'everyone';

/** How many rows one page of catch-up aims at. A position with more rows is delivered whole. */
export const STREAM_PAGE_ROWS = 100;

interface StreamBase<Name extends string, Row> {
  readonly name: Name;
  /** The letter of this stream in client tokens, or null when clients never hold its position. Never reused. */
  readonly letter: string | null;
  /** Name of the actor that owns it. */
  readonly owner: string;
  /** Which long polls a row wakes. */
  wakes(row: Row): readonly WakeKey[];
  /** What a row makes untrue in caches. Rides in the same message as the row. */
  invalidates(row: Row): readonly Fact[];
}

/** A stream whose rows are in the database; its epoch is always 0. */
export interface DurableStream<Name extends string, Row> extends StreamBase<Name, Row> {
  readonly kind: 'durable';
  /** Every table that uses its positions. */
  readonly tables: readonly StreamTable[];
  /**
   * A page of rows with `from < position <= to`, ascending, about `limit` rows, whole positions only. The page's `to` is
   * `to` when nothing is left, otherwise the position of its last row; beyond `to` where newer rows
   * replace older ones and have been committed since. `'gone'`: those rows are no longer
   * kept, so the subscriber forgets everything that depends on this stream.
   */
  read(db: ReadDb, from: number, to: number, limit: number): Promise<StreamPage<Row> | 'gone'>;
}

/** A stream whose rows live in its owner's memory; each life of the owner has another epoch. */
export interface MemoryStream<Name extends string, Row> extends StreamBase<Name, Row> {
  readonly kind: 'memory';
  /**
   * What a row is about: of one key only the latest row counts, so that catch-up costs no more than what lives. Null: the row
   * stands for itself, which only a stream that is trimmed by acknowledgement may say.
   */
  key(row: Row): string | null;
  /**
   * `latest-of-key` (when absent): rows live until they are replaced or forgotten. `until-acknowledged`: rows live until every
   * subscriber, those that have not acknowledged anything yet included, has acknowledged them.
   */
  readonly retention?: 'latest-of-key' | 'until-acknowledged';
  /**
   * What it says when the row of a key is forgotten: who still holds an older row of that key holds this one instead. Null when the row
   * says so itself. When absent, such rows are dropped.
   */
  forgotten?(row: Row): Row | null;
}

export type Stream<Name extends string = string, Row = unknown> =
  DurableStream<Name, Row> | MemoryStream<Name, Row>;

/** Defines a durable stream. Token text, wake-ups, catch-up, figures and the schema test derive from it. */
export function defineDurableStream<Name extends string, Row>(
  definition: Omit<DurableStream<Name, Row>, 'kind'>,
): DurableStream<Name, Row> {
  return { kind: 'durable', ...definition };
}

/** Defines an in-memory stream. */
export function defineMemoryStream<Name extends string, Row>(
  definition: Omit<MemoryStream<Name, Row>, 'kind'>,
): MemoryStream<Name, Row> {
  return { kind: 'memory', ...definition };
}
