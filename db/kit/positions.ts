import { defineQuery, type Query } from './query.ts';

/** A table whose `column` holds positions of a stream. */
export interface PositionColumn {
  readonly table: string;
  readonly column: string;
}

/** What storage has to know of a durable stream: a part of its definition. */
export interface StreamDeclaration {
  readonly name: string;
  /** Name of the actor that alone may advance it. */
  readonly owner: string;
  /** Every column that holds its positions. */
  readonly tables: readonly PositionColumn[];
}

/** Forward positions rise from 1; backward ones, for history, fall from −1. */
export type Direction = 'forward' | 'backward';

/** The start of a stream in both directions; 0 where there is nothing yet. */
export type StreamStart = { readonly forward: number; readonly backward: number };

const IDENTIFIER = /^[a-z][a-z0-9_]*$/;

/** The name of a table or column, as it may stand in SQL. @throws when it is none */
export function identifier(text: string): string {
  if (!IDENTIFIER.test(text)) throw new Error(`not a name of a table or column: ${text}`);
  return text;
}

function extreme(which: 'max' | 'min', stream: StreamDeclaration, direction: Direction): string {
  const marks = `(SELECT ${which}(position) FROM stream_positions WHERE stream = :stream AND direction = '${direction}')`;
  const columns = stream.tables.map(({ table, column }) => {
    const [from, of] = [identifier(table), identifier(column)];
    return `(SELECT ${which}(${of}) FROM ${from} WHERE ${of} IS NOT NULL)`;
  });
  return `${which}(0, ${[marks, ...columns].map((value) => `coalesce(${value}, 0)`).join(', ')})`;
}

const startQueries = new WeakMap<StreamDeclaration, Query<{ readonly stream: string }, StreamStart>>();

/**
 * Where a stream stands: beyond the mark that every writing transaction keeps, and beyond every position in every table. Rows may be
 * deleted and marks of a former owner may remain, so that neither suffices alone. The writer starts from it and readers show it:
 * one declaration, two uses.
 */
export function streamStartQuery(stream: StreamDeclaration): Query<{ readonly stream: string }, StreamStart> {
  const known = startQueries.get(stream);
  if (known !== undefined) return known;
  const query = defineQuery<{ readonly stream: string }, StreamStart>({
    name: `streams.read-start-of-${stream.name}`,
    sql: `SELECT ${extreme('max', stream, 'forward')} AS forward, ${extreme('min', stream, 'backward')} AS backward`,
  });
  startQueries.set(stream, query);
  return query;
}

/** Keeps the mark of a stream, in the transaction that writes its rows. */
export const savePosition = defineQuery<{
  readonly stream: string;
  readonly writer: string;
  readonly direction: Direction;
  readonly position: number;
}>({
  name: 'streams.save-position',
  sql: `
    INSERT INTO stream_positions (stream, writer, direction, position)
    VALUES (:stream, :writer, :direction, :position)
    ON CONFLICT (stream, writer, direction) DO UPDATE SET position = excluded.position`,
});
