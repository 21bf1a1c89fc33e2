import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { defineQuery } from '../../../db/kit/query.ts';
import { createQueryStatements } from '../../../db/kit/query-statements.ts';
import { openWriteConnection, type SqliteConnection } from '../../../db/kit/sqlite.ts';

const ROUNDS = 15;
const JOINS = ['b', 'c', 'd', 'e', 'f', 'g'];

const joining = defineQuery<{ readonly text: string; readonly limit: number }, { readonly id: number }>({
  name: 'kit.test-joining',
  sql: `SELECT a.id FROM note a ${JOINS.map((name) => `JOIN note ${name} ON ${name}.id = a.id`).join(' ')}
         WHERE a.text = :text ORDER BY a.id LIMIT :limit`,
});
const writing = defineQuery<{ readonly id: number | null; readonly text: string | null }>({
  name: 'kit.test-writing',
  sql: 'INSERT INTO note (id, text) VALUES (:id, :text)',
});

describe('statements of a connection', () => {
  let folder: string;
  let connection: SqliteConnection;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-test-'));
    connection = openWriteConnection(join(folder, 'test.db'));
    connection.exec('CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT UNIQUE) STRICT');
  });
  afterEach(() => {
    connection.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The shortest of some runs, in milliseconds: what the machine does beside it counts least. */
  const shortest = (run: () => void): number => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS; round += 1) {
      const startedAt = performance.now();
      run();
      best = Math.min(best, performance.now() - startedAt);
    }
    return best;
  };

  it('are prepared once, whatever is bound', () => {
    const statement = createQueryStatements(connection).get(joining);
    const prepareMs = shortest(() => connection.prepare(joining.sql));
    let bound = 0;
    const runMs = shortest(() => statement.all({ text: `text ${(bound += 1)}`, limit: bound }));
    expect(runMs * 4, `${runMs} ms, and ${prepareMs} ms to prepare`).to.be.below(prepareMs);
  });

  it('take parameters as they are: texts, nulls and numbers', () => {
    const statements = createQueryStatements(connection);
    statements.get(writing).run({ id: 7, text: '12' });
    statements.get(writing).run({ id: 8, text: null });
    expect(statements.get(joining).all({ text: '12', limit: 5 })).to.deep.equal([{ id: 7 }]);
    expect(statements.get(joining).all({ text: '12', limit: 0 })).to.deep.equal([]);
    const read = defineQuery<{ readonly id: number }>({
      name: 'kit.test-reading',
      sql: `SELECT typeof(text) AS type, ':id 1:2' AS text FROM note WHERE id = :id`,
    });
    expect(statements.get(read).all({ id: 8 })).to.have.deep.members([{ type: 'null', text: ':id 1:2' }]);
  });
});
