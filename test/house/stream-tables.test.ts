import { expect } from 'chai';
import type { StreamDeclaration } from '../../db/kit/positions.ts';
import { defineQuery, type SqlParams } from '../../db/kit/query.ts';
import { streams as registered } from '../../src/streams/registry.ts';
import { createTestDatabase, loadDurableStreams, type TestDatabase } from '../support/database.ts';

/** The registry of the streams itself. */
const EXEMPT = 'stream_positions.position';

const positionColumns = defineQuery<SqlParams, { readonly place: string }>({
  name: 'house.position-columns',
  sql: `
    SELECT s.name || '.' || c.name AS place FROM sqlite_schema s, pragma_table_info(s.name) c
     WHERE s.type = 'table' AND c.name IN ('stream_id', 'stream_ordering', 'position')`,
});
const columnCount = defineQuery<
  { readonly table: string; readonly column: string },
  { readonly count: number }
>({
  name: 'house.column-count',
  sql: `SELECT count(*) AS count FROM pragma_table_info(:table) WHERE name = :column`,
});

function claimsOf(streams: readonly StreamDeclaration[]): string[] {
  return streams.flatMap(({ tables }) => tables.map(({ table, column }) => `${table}.${column}`));
}

/** Columns that hold positions and belong to no stream, or to more than one. */
function findMisclaimed(places: readonly string[], streams: readonly StreamDeclaration[]): string[] {
  const claims = claimsOf(streams);
  return places.filter((place) => claims.filter((claim) => claim === place).length !== 1);
}

describe('tables of the streams', () => {
  let database: TestDatabase;
  let streams: readonly StreamDeclaration[];
  let places: readonly string[];

  before(async () => {
    database = await createTestDatabase();
    streams = await loadDurableStreams();
    const rows = await database.db.all(positionColumns, {});
    places = rows.map(({ place }) => place).filter((place) => place !== EXEMPT);
  });
  after(() => database.close());

  it('4.2 every column that holds positions is claimed by exactly one stream', () => {
    expect(places.length).to.be.greaterThan(5);
    expect(findMisclaimed(places, streams)).to.deep.equal([]);
  });

  it('4.2 every claimed column exists', async () => {
    for (const { name, tables } of streams)
      for (const { table, column } of tables)
        expect(
          (await database.db.get(columnCount, { table, column })).count,
          `${name}: ${table}.${column}`,
        ).to.equal(1);
  });

  it('4.2 removing any table from any list, or claiming it twice, turns the check red', () => {
    let mutations = 0;
    for (const stream of streams)
      for (const claimed of stream.tables) {
        const place = `${claimed.table}.${claimed.column}`;
        if (!places.includes(place)) continue;
        const others = streams.filter((other) => other !== stream);
        const without = { ...stream, tables: stream.tables.filter((table) => table !== claimed) };
        const twice = { ...stream, tables: [...stream.tables, claimed] };
        expect(findMisclaimed(places, [...others, without])).to.deep.equal([place]);
        expect(findMisclaimed(places, [...others, twice])).to.deep.equal([place]);
        mutations += 1;
      }
    expect(mutations).to.equal(places.length);
  });

  it('2.2 every durable stream that is defined is registered', () => {
    const durable = registered.filter(({ kind }) => kind === 'durable').map(({ name }) => name);
    expect(streams.map(({ name }) => name)).to.have.members(durable);
  });
});
