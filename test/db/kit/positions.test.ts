import { expect } from 'chai';
import { createPositionLedger } from '../../../db/kit/position-ledger.ts';
import { savePosition, type StreamDeclaration, type StreamStart } from '../../../db/kit/positions.ts';
import { openReadConnection, openWriteConnection } from '../../../db/kit/sqlite.ts';
import { step } from '../../../db/kit/write-set.ts';
import { WriteSetDefect } from '../../../db/kit/write-transaction.ts';
import { readStreamStart } from '../../../db/streams/reader.ts';
import { createTestDatabase, loadDurableStreams, type TestDatabase } from '../../support/database.ts';
import {
  brokenNote,
  createNotes,
  deleteNotes,
  note,
  noteQueries,
  notes,
  notesStream,
  readMark,
  refusedNote,
} from './ledger-of-notes.ts';

const streams = await loadDurableStreams();

interface Column {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly pk: number;
}

/**
 * Puts one row into a table of the program: `position` into the column, something into every other that must not be null. A
 * primary key may hold positions of the same stream, so that it gets one that is nearer to 0.
 */
function insertRow(path: string, table: string, column: string, position: number): void {
  const connection = openWriteConnection(path);
  const columns = connection.prepare(`PRAGMA table_info(${table})`).all() as Column[];
  const filled = columns.filter(({ name, notnull, pk }) => name === column || notnull === 1 || pk > 0);
  const values = filled.map(({ name, type, pk }) => {
    if (name === column) return position;
    if (type !== 'INTEGER') return "'x'";
    return pk > 0 ? Math.sign(position) : 7;
  });
  connection.exec(
    `INSERT INTO ${table} (${filled.map(({ name }) => name).join()}) VALUES (${values.join()})`,
  );
  connection.close();
}

/** Takes the next position of a stream, in either direction. */
async function takeNext(
  database: TestDatabase,
  { name, owner }: StreamDeclaration,
  direction: keyof StreamStart,
) {
  const outcome = await database.write.write({
    owner,
    advance: { stream: name, count: 1, direction },
    steps: [],
  });
  if (outcome.kind !== 'committed') throw new Error(JSON.stringify(outcome));
  return outcome.position;
}

describe('positions of the streams', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.close());

  it('4.3 knows streams and tables to try', () => {
    expect(streams.flatMap(({ tables }) => tables).length).to.be.greaterThan(5);
  });

  for (const stream of streams) {
    for (const { table, column } of stream.tables) {
      it(`4.3 ${stream.name}: the highest position stands only in ${table}.${column}`, async () => {
        insertRow(database.path, table, column, 1_000);
        database.restart();
        expect(await takeNext(database, stream, 'forward')).to.equal(1_001);
        expect(await takeNext(database, stream, 'backward')).to.equal(-1);
      });

      it(`4.3 ${stream.name}: the lowest position stands only in ${table}.${column}`, async () => {
        insertRow(database.path, table, column, -1_000);
        database.restart();
        expect(await takeNext(database, stream, 'backward')).to.equal(-1_001);
        expect(await takeNext(database, stream, 'forward')).to.equal(1);
      });
    }

    it(`4.4 ${stream.name}: no row is left, and the next position is still beyond every one ever given`, async () => {
      for (const expected of [1, 2, 3])
        expect(await takeNext(database, stream, 'forward')).to.equal(expected);
      expect(await takeNext(database, stream, 'backward')).to.equal(-1);
      database.restart();
      expect(await takeNext(database, stream, 'forward')).to.equal(4);
      expect(await takeNext(database, stream, 'backward')).to.equal(-2);
    });

    it(`4.6 ${stream.name}: reader and writer compute the same start`, async () => {
      const [first] = stream.tables;
      if (first !== undefined) insertRow(database.path, first.table, first.column, 77);
      database.restart();
      const { forward } = await readStreamStart(database.db, stream);
      expect(forward).to.equal(first === undefined ? 0 : 77);
      expect(database.write.position(stream.name)).to.equal(forward);
      await takeNext(database, stream, 'forward');
      expect((await readStreamStart(database.db, stream)).forward).to.equal(forward + 1);
    });
  }

  it('1.7 moving a stream to another owner goes on where the former one stopped', async () => {
    const [stream] = streams;
    if (stream === undefined) throw new Error('no streams');
    for (const expected of [1, 2, 3]) expect(await takeNext(database, stream, 'forward')).to.equal(expected);
    const moved = { ...stream, owner: 'another' };
    database.restart([moved]);
    expect(await takeNext(database, moved, 'forward')).to.equal(4);
    database.restart([stream]);
    expect(await takeNext(database, stream, 'forward')).to.equal(5);
  });
});

describe('allocation of positions', () => {
  let database: TestDatabase;
  const mark = (direction: keyof StreamStart) => database.db.get(readMark, { stream: 'notes', direction });

  beforeEach(async () => {
    database = await createTestDatabase({ queries: noteQueries, streams: [] });
    createNotes(database.path);
    database.restart([notesStream]);
  });
  afterEach(() => database.close());

  it('1.2 opened for reading, asking for a new position throws', async () => {
    const connection = openReadConnection(database.path);
    const ledger = createPositionLedger(connection, [notesStream]);
    ledger.allocate({ stream: 'notes', count: 1 });
    expect(() => ledger.save()).to.throw('readonly');
    connection.close();
    const params = { stream: 'notes', writer: 'notebook', direction: 'forward', position: 9 } as const;
    expect(await database.db.all(savePosition, params).catch(String)).to.include('Error');
    expect(await mark('forward')).to.deep.equal({ position: null });
  });

  it('1.2 who is not the owner of a stream cannot advance it', async () => {
    const set = { ...note('a'), owner: 'somebody else' };
    const error = await database.write.write(set).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(WriteSetDefect);
    expect(String(error)).to.include('belongs to notebook');
    expect(await notes(database.db)).to.deep.equal([]);
  });

  it('1.3 a rollback counts as completion: it consumes nothing, and the token passes it', async () => {
    const sets = [note('a'), refusedNote('r'), note('b', 'c'), brokenNote('d'), note('e')];
    const settled = await Promise.allSettled(sets.map((set) => database.write.write(set)));
    const positions = settled.map((result) =>
      result.status === 'fulfilled' && result.value.kind === 'committed' ? result.value.position : null,
    );
    expect(positions).to.deep.equal([1, null, 2, null, 4]);
    expect(database.write.position('notes')).to.equal(4);
    expect(await mark('forward')).to.deep.equal({ position: 4 });
  });

  it('1.8 backward positions never move the forward token', async () => {
    const set = note('x', 'y');
    await database.write.write({ ...set, advance: { stream: 'notes', count: 2, direction: 'backward' } });
    expect(database.write.position('notes')).to.equal(0);
    expect(await mark('forward')).to.deep.equal({ position: null });
    expect(await notes(database.db)).to.deep.equal(['-2:y', '-1:x']);
    database.restart([notesStream]);
    expect(await database.write.write(note('a'))).to.have.property('position', 1);
  });

  it('4.1 the mark is written in the transaction of the rows, once', async () => {
    const connection = openWriteConnection(database.path);
    connection.exec(`
      CREATE TABLE seen (position INTEGER, rows INTEGER);
      CREATE TRIGGER mark_seen AFTER INSERT ON stream_positions
      BEGIN INSERT INTO seen SELECT new.position, count(*) FROM notes; END;`);
    connection.close();
    await Promise.all(['a', 'b', 'c'].map((text) => database.write.write(note(text))));
    const check = openWriteConnection(database.path);
    expect(check.prepare('SELECT * FROM seen').all()).to.deep.equal([{ position: 3, rows: 3 }]);
    check.exec(`DROP TRIGGER mark_seen;
      CREATE TRIGGER mark_refused BEFORE UPDATE ON stream_positions BEGIN SELECT RAISE(ABORT, 'no mark'); END;`);
    check.close();
    const error = await database.write.write(note('d')).catch(String);
    expect(error).to.include('no mark');
    expect(await notes(database.db)).to.deep.equal(['1:a', '2:b', '3:c']);
  });

  it('4.1 the start is the larger of the mark and the rows', async () => {
    await database.write.write(note('a', 'b', 'c'));
    await database.write.write({ owner: 'notebook', steps: [step(deleteNotes, {})] });
    database.restart([notesStream]);
    expect(await database.write.write(note('d'))).to.have.property('position', 4);
    const connection = openWriteConnection(database.path);
    connection.exec(`DELETE FROM stream_positions; INSERT INTO notes VALUES (9, 'nine')`);
    connection.close();
    database.restart([notesStream]);
    expect(await database.write.write(note('e'))).to.have.property('position', 10);
  });
});
