import { identifier, type StreamDeclaration } from '../kit/positions.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A column that holds positions beyond the mark of its stream. */
export type Excess = {
  /** `table.column`. */
  readonly place: string;
  readonly highest: number;
  readonly lowest: number;
  /** Of the stream, in both directions. */
  readonly forward: number;
  readonly backward: number;
};

const mark = (which: 'max' | 'min', direction: string): string =>
  `coalesce((SELECT ${which}(position) FROM stream_positions WHERE stream = :stream AND direction = '${direction}'), 0)`;

/** The positions in every column of a stream that its mark does not cover: none, for each write keeps the mark. One statement, one world. */
export async function readExcess(db: ReadDb, stream: StreamDeclaration): Promise<readonly Excess[]> {
  if (stream.tables.length === 0) return [];
  const columns = stream.tables.map(({ table, column }) => {
    const [from, of] = [identifier(table), identifier(column)];
    return `SELECT '${from}.${of}' AS place, coalesce((SELECT max(${of}) FROM ${from}), 0) AS highest,
                   coalesce((SELECT min(${of}) FROM ${from}), 0) AS lowest`;
  });
  const query = defineQuery<{ readonly stream: string }, Excess>({
    name: `streams.read-excess-of-${stream.name}`,
    sql: `
      WITH marks AS (SELECT ${mark('max', 'forward')} AS forward, ${mark('min', 'backward')} AS backward)
      SELECT * FROM (${columns.join(' UNION ALL ')}) places, marks
       WHERE highest > forward OR lowest < min(backward, 0)`,
    scans: ['places', 'marks', ...stream.tables.map(({ table }) => table)],
  });
  return db.all(query, { stream: stream.name });
}
