import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { applyMigrations, listOwners, MigrationRefused } from '../../../db/kit/migrator.ts';
import { openReadConnection, openWriteConnection } from '../../../db/kit/sqlite.ts';
import { type Logger, type LogFields, silentLogger } from '../../../src/kit/logger.ts';

describe('migrations', () => {
  let folder: string;
  let path: string;
  let lines: { readonly message: string; readonly fields: LogFields | undefined }[];
  let log: Logger;

  beforeEach(() => {
    const root = mkdtempSync(join(tmpdir(), 'troupe-migrations-'));
    folder = join(root, 'db');
    path = join(root, 'troupe.db');
    mkdirSync(join(folder, 'kit'), { recursive: true });
    lines = [];
    const note = (message: string, fields?: LogFields) => void lines.push({ message, fields });
    log = { ...silentLogger, info: note, warn: note };
    put('cats', '0001-cats.sql', 'CREATE TABLE cats (name TEXT) STRICT;');
    put('dogs', '0001-dogs.sql', 'CREATE TABLE dogs (name TEXT) STRICT;');
  });
  afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

  function put(owner: string, file: string, sql: string): void {
    mkdirSync(join(folder, owner, 'migrations'), { recursive: true });
    writeFileSync(join(folder, owner, 'migrations', file), sql);
  }

  function tables(): readonly unknown[] {
    const connection = openReadConnection(path);
    const names = connection
      .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`)
      .pluck()
      .all();
    connection.close();
    return names;
  }

  function refusal(): string {
    try {
      applyMigrations(path, log, folder);
    } catch (error) {
      expect(error).to.be.instanceOf(MigrationRefused);
      return (error as Error).message;
    }
    throw new Error('it was not refused');
  }

  it('makes the database, says what it did, and does nothing the second time', () => {
    applyMigrations(path, log, folder);
    expect(tables()).to.deep.equal(['cats', 'dogs', 'migrations']);
    expect(
      lines.map(({ fields }) => `${String(fields?.['owner'])}/${String(fields?.['file'])}`),
    ).to.deep.equal(['cats/0001-cats.sql', 'dogs/0001-dogs.sql']);
    applyMigrations(path, log, folder);
    expect(lines).to.have.lengthOf(2);
  });

  it('leaves a database in WAL mode', () => {
    applyMigrations(path, log, folder);
    const connection = openReadConnection(path);
    expect(connection.pragma('journal_mode', { simple: true })).to.equal('wal');
    connection.close();
  });

  it('applies what is new to an old database, with a hint to keep a copy', () => {
    applyMigrations(path, log, folder);
    put('cats', '0002-colour.sql', 'ALTER TABLE cats ADD COLUMN colour TEXT;');
    lines = [];
    applyMigrations(path, log, folder);
    expect(lines.map(({ message }) => message)).to.deep.equal([
      'the database is about to be upgraded, and there is no way back but a copy of it',
      'applied a migration',
    ]);
    expect(lines[0]?.fields?.['hint']).to.include('troupe backup');
  });

  it('undoes a migration that fails, and keeps those before it', () => {
    applyMigrations(path, log, folder);
    put('cats', '0002-toys.sql', 'CREATE TABLE toys (a TEXT) STRICT;');
    put('dogs', '0002-broken.sql', 'CREATE TABLE half (a TEXT) STRICT; SELECT nothing;');
    expect(refusal()).to.match(/dogs\/0002-broken\.sql failed and was undone/);
    expect(tables()).to.deep.equal(['cats', 'dogs', 'migrations', 'toys']);
    put('dogs', '0002-broken.sql', 'CREATE TABLE half (a TEXT) STRICT;');
    applyMigrations(path, log, folder);
    expect(tables()).to.deep.equal(['cats', 'dogs', 'half', 'migrations', 'toys']);
  });

  it('makes a new database as a whole, or not at all', () => {
    put('dogs', '0002-broken.sql', 'SELECT nothing;');
    expect(refusal()).to.match(/dogs\/0002-broken\.sql failed and was undone/);
    expect(tables()).to.deep.equal(['migrations']);
  });

  it('refuses a database that is newer than the program', () => {
    put('cats', '0002-colour.sql', 'ALTER TABLE cats ADD COLUMN colour TEXT;');
    applyMigrations(path, log, folder);
    rmSync(join(folder, 'cats', 'migrations', '0002-colour.sql'));
    expect(refusal()).to.match(/cats\/0002-colour\.sql.*newer version.*restore/);
  });

  it('refuses an owner that it does not know', () => {
    applyMigrations(path, log, folder);
    rmSync(join(folder, 'dogs'), { recursive: true });
    expect(refusal()).to.include('dogs/0001-dogs.sql');
  });

  it('refuses a migration that was edited or renamed after it was applied', () => {
    applyMigrations(path, log, folder);
    put('cats', '0001-cats.sql', 'CREATE TABLE cats (name TEXT, age INTEGER) STRICT;');
    expect(refusal()).to.match(/cats\/0001-cats\.sql.*never edited.*new migration/);
    put('cats', '0001-cats.sql', 'CREATE TABLE cats (name TEXT) STRICT;');
    const migrations = join(folder, 'cats', 'migrations');
    renameSync(join(migrations, '0001-cats.sql'), join(migrations, '0001-felines.sql'));
    expect(refusal()).to.match(/cats\/0001-felines\.sql.*0001-cats\.sql/);
  });

  it('refuses when a migration was left out but a later one was applied', () => {
    put('cats', '0002-colour.sql', 'ALTER TABLE cats ADD COLUMN colour TEXT;');
    applyMigrations(path, log, folder);
    const connection = openWriteConnection(path);
    connection.exec(`DELETE FROM migrations WHERE owner = 'cats' AND number = 1`);
    connection.close();
    expect(refusal()).to.match(/cats\/0001-cats\.sql was never applied.*Restore a backup/);
  });

  for (const [file, why] of [
    ['0003-gap.sql', 'without gaps'],
    ['2-short.sql', 'NNNN-what-it-does.sql'],
    ['0002-Upper.sql', 'NNNN-what-it-does.sql'],
  ] as const)
    it(`refuses the file name ${file}`, () => {
      put('cats', file, 'SELECT 1;');
      expect(refusal()).to.include(why);
    });

  it('refuses a migration that ends its own transaction', () => {
    put('cats', '0002-ends.sql', 'CREATE TABLE more (a TEXT) STRICT; COMMIT;');
    expect(refusal()).to.include('cats/0002-ends.sql ends its own transaction');
  });

  it('refuses to run without any migration', () => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    expect(refusal()).to.include('no migrations');
  });

  it('goes on where an interrupted run stopped', () => {
    applyMigrations(path, log, folder);
    const before = join(folder, '..', 'before.db');
    copyFileSync(path, before);
    put('dogs', '0002-a.sql', 'CREATE TABLE a (a TEXT) STRICT;');
    put('dogs', '0003-b.sql', 'CREATE TABLE a (a TEXT) STRICT;');
    expect(refusal()).to.include('0003-b.sql');
    put('dogs', '0003-b.sql', 'CREATE TABLE b (a TEXT) STRICT;');
    lines = [];
    applyMigrations(path, log, folder);
    expect(lines.map(({ fields }) => fields?.['file']))
      .to.include('0003-b.sql')
      .and.not.include('0002-a.sql');
  });

  it('finds every owner of the program, and not the kit', () => {
    expect(listOwners()).to.include.members(['rooms', 'streams', 'receipts']).and.not.include('kit');
  });
});
