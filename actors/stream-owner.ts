import type { WriteOutcome, WriteStep } from '../db/kit/write-set.ts';

/** A write that advances a durable stream. */
export interface StreamWrite<Row> {
  /** How many positions it takes, at least 1. */
  readonly count: number;
  /** Statements; `positionOffset` binds `:position`. */
  readonly steps: readonly WriteStep[];
  /** Called after the commit with the positions that were allocated, ascending: the rows of each, in the same order. */
  readonly rows: (positions: readonly number[]) => readonly (readonly Row[])[];
}

/** A durable stream as its owner holds it. */
export interface DurableStreamOwner<Row> {
  /** The last position whose rows, and all before them, are committed. */
  currentToken(): number;
  /**
   * Commits, then publishes the rows in order of position, then resolves. Refused and unavailable writes publish nothing.
   *
   * @throws (rejection) when a statement is defective: the owner is to crash
   */
  write(request: StreamWrite<Row>): Promise<WriteOutcome>;
  /** The same for history: `count` negative positions, nothing published, nobody woken, the token stays. */
  writeBackward(request: Omit<StreamWrite<Row>, 'rows'>): Promise<WriteOutcome>;
}

/** An in-memory stream as its owner holds it. */
export interface MemoryStreamOwner<Row> {
  readonly epoch: number;
  currentToken(): number;
  /** Appends a row and publishes it. Gives its position. */
  append(row: Row): number;
  /** Forgets the latest row of a key, without telling anyone: for keys whose absence says the same. */
  forget(key: string): void;
  /** The latest row of a key. */
  latest(key: string): Row | undefined;
}
