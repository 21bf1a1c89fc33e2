import {
  type Direction,
  savePosition,
  type StreamDeclaration,
  type StreamStart,
  streamStartQuery,
} from './positions.ts';
import type { SqliteConnection } from './sqlite.ts';
import type { StreamAdvance } from './write-set.ts';

interface Mark {
  readonly stream: string;
  readonly owner: string;
  readonly direction: Direction;
  /** What the database has for certain. */
  committed: number;
  /** With what the open transaction has allocated. */
  open: number;
}

/** An allocation in the open transaction. */
export interface Allocation {
  /** The position at an offset of the allocation. */
  at(offset: number): number;
  /** Gives the positions back: the set was undone. Only the latest allocation may be given back. */
  undo(): void;
}

/**
 * Allocates positions inside the write transaction, from memory, and keeps the marks in the same transaction: commit order is
 * position order, and what is rolled back consumes nothing.
 */
export interface PositionLedger {
  /** Why this owner may not advance this stream, or undefined. */
  findObjection(owner: string, advance: StreamAdvance): string | undefined;
  allocate(advance: StreamAdvance): Allocation;
  /** Writes the marks that moved, into the open transaction. */
  save(): void;
  /** The transaction has committed. */
  settle(): void;
  /** The transaction is lost. */
  forget(): void;
  /**
   * The last committed forward position.
   *
   * @throws for a stream that is not declared
   */
  position(stream: string): number;
}

/** More positions than any set needs: a count above is a mistake. */
export const POSITIONS_PER_SET_MAX = 1_000_000;

function createMarks(
  connection: SqliteConnection,
  streams: readonly StreamDeclaration[],
): Map<string, Readonly<Record<Direction, Mark>>> {
  const marks = new Map<string, Readonly<Record<Direction, Mark>>>();
  for (const stream of streams) {
    if (marks.has(stream.name)) throw new Error(`two streams are called ${stream.name}`);
    const start = connection
      .prepare(streamStartQuery(stream).sql)
      .get({ stream: stream.name }) as StreamStart;
    const mark = (direction: Direction): Mark => ({
      stream: stream.name,
      owner: stream.owner,
      direction,
      committed: start[direction],
      open: start[direction],
    });
    marks.set(stream.name, { forward: mark('forward'), backward: mark('backward') });
  }
  return marks;
}

/** Reads where each stream stands and goes on from there. */
export function createPositionLedger(
  connection: SqliteConnection,
  streams: readonly StreamDeclaration[],
): PositionLedger {
  const marks = createMarks(connection, streams);
  const moved = new Set<Mark>();
  const save = connection.prepare(savePosition.sql);
  const getMark = ({ stream, direction }: StreamAdvance): Mark => {
    const mark = marks.get(stream)?.[direction ?? 'forward'];
    if (mark === undefined) throw new Error(`no such stream: ${stream}`);
    return mark;
  };
  return {
    findObjection(owner, advance) {
      const { stream, count } = advance;
      const declared = marks.get(stream);
      if (declared === undefined) return `no such stream: ${stream}`;
      if (declared.forward.owner !== owner)
        return `${owner} may not advance ${stream}: it belongs to ${declared.forward.owner}`;
      if (!Number.isSafeInteger(count) || count < 1 || count > POSITIONS_PER_SET_MAX)
        return `${owner} asks for ${count} positions of ${stream}`;
      return undefined;
    },
    allocate(advance) {
      const mark = getMark(advance);
      const before = mark.open;
      const step = mark.direction === 'forward' ? 1 : -1;
      mark.open = before + step * advance.count;
      moved.add(mark);
      return {
        at: (offset) => before + step * (offset + 1),
        undo: () => {
          mark.open = before;
        },
      };
    },
    save() {
      for (const { stream, owner, direction, committed, open } of moved)
        if (open !== committed) save.run({ stream, writer: owner, direction, position: open });
    },
    settle() {
      for (const mark of moved) mark.committed = mark.open;
      moved.clear();
    },
    forget() {
      for (const mark of moved) mark.open = mark.committed;
      moved.clear();
    },
    position: (stream) => getMark({ stream, count: 1 }).committed,
  };
}
