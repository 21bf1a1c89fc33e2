import { expect } from 'chai';
import { loadQueries } from '../../db/kit/load-queries.ts';
import { listOwners } from '../../db/kit/migrator.ts';
import { streamStartQuery } from '../../db/kit/positions.ts';
import { defineQuery, type Query } from '../../db/kit/query.ts';
import { createTestDatabase, loadDurableStreams, type TestDatabase } from '../support/database.ts';
import { readPlan, readSchema } from './query-plan.ts';

/** Read from end to end once per start, when the marks of the streams are compared with the tables. */
const SCANNED_AT_START = ['local_memberships'];

/** Queries that sort in memory without a LIMIT: each is as large as what it reads. Lower it when one goes. */
const SORTS_WITHOUT_LIMIT_MAX = 10;

describe('queries of the program', () => {
  let database: TestDatabase;
  let queries: readonly Query[];

  before(async () => {
    database = await createTestDatabase();
    const starts = (await loadDurableStreams()).map(streamStartQuery);
    queries = [
      ...(await loadQueries()).values(),
      ...starts.map((query) => ({ ...query, scans: SCANNED_AT_START })),
    ];
  });
  after(() => database.close());

  async function findUndeclaredScans(checked: readonly Query[]): Promise<string[]> {
    const schema = await readSchema(database.db);
    const found: string[] = [];
    for (const query of checked) {
      const { scans } = await readPlan(database.db, schema, query);
      for (const { table, line } of scans)
        if (!query.scans.includes(table)) found.push(`${query.name}: ${line} (table ${table})`);
    }
    return found;
  }

  it('prepare, and scan no table that is not declared small', async () => {
    expect(queries.length).to.be.greaterThan(50);
    expect(await findUndeclaredScans(queries)).to.deep.equal([]);
  });

  it('have names that begin with the folder of their owner', () => {
    const owners = new Set(listOwners());
    expect(owners.size).to.be.greaterThan(5);
    const strangers = queries.filter(({ name }) => !owners.has(name.split('.')[0] ?? ''));
    expect(strangers.map(({ name }) => name)).to.deep.equal([]);
  });

  it('seldom sort in memory without a limit', async () => {
    const schema = await readSchema(database.db);
    const sorting: string[] = [];
    for (const query of queries)
      if (!/\bLIMIT\b/i.test(query.sql) && (await readPlan(database.db, schema, query)).sorts)
        sorting.push(query.name);
    expect(sorting.length, sorting.join(', ')).to.be.at.most(SORTS_WITHOUT_LIMIT_MAX);
  });

  describe('the check itself', () => {
    const scanning = (sql: string) => defineQuery({ name: 'house.scanning', sql });

    for (const sql of [
      'SELECT * FROM account_data',
      'SELECT a.type FROM account_data AS a WHERE a.content = :content',
      'SELECT u.user_id FROM rooms r JOIN user_ids u ON u.user_nid = r.room_nid WHERE r.creator = :creator',
      'DELETE FROM receipts WHERE ts < :before',
      'SELECT max(ts) FROM receipts',
      'SELECT count(*) FROM events',
      'WITH old AS MATERIALIZED (SELECT event_id FROM receipts WHERE ts < :before) SELECT * FROM old',
    ])
      it(`finds the scan of: ${sql}`, async () => {
        expect(await findUndeclaredScans([scanning(sql)])).to.have.lengthOf.at.least(1);
      });

    for (const sql of [
      'SELECT max(stream_id) FROM receipts',
      'SELECT content FROM account_data WHERE user_id = :userId AND room_id = :roomId',
      'SELECT value FROM json_each(:list)',
      'INSERT INTO user_ids (user_id) VALUES (:userId)',
      'WITH few (id) AS (SELECT event_nid FROM events WHERE event_nid = :a) SELECT f.id FROM few f',
    ])
      it(`passes: ${sql}`, async () => {
        expect(await findUndeclaredScans([scanning(sql)])).to.deep.equal([]);
      });

    it('lets a declared scan pass', async () => {
      const declared = defineQuery({
        name: 'house.declared',
        sql: 'SELECT * FROM receipts',
        scans: ['receipts'],
      });
      expect(await findUndeclaredScans([declared])).to.deep.equal([]);
    });

    it('fails for a query that does not prepare', async () => {
      const wrong = defineQuery({ name: 'house.wrong', sql: 'SELECT a FROM nowhere' });
      const error = await findUndeclaredScans([wrong]).catch(String);
      expect(error).to.include('nowhere');
    });
  });
});
