import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  databasePath,
  openReadConnection,
  openWriteConnection,
  READ_CACHE_KIB,
} from '../../../db/kit/sqlite.ts';

const SYNCHRONOUS_FULL = 2;

describe('connections', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-sqlite-'));
    path = databasePath(folder);
    openWriteConnection(path).close();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('the writer syncs every commit, in WAL mode', () => {
    const connection = openWriteConnection(path);
    expect(connection.pragma('journal_mode', { simple: true })).to.equal('wal');
    expect(connection.pragma('synchronous', { simple: true })).to.equal(SYNCHRONOUS_FULL);
    expect(connection.pragma('foreign_keys', { simple: true })).to.equal(0);
    connection.close();
  });

  it('a reader cannot write, and has a bounded cache', () => {
    const connection = openReadConnection(path);
    expect(() => connection.exec('CREATE TABLE t (a)')).to.throw('readonly');
    expect(connection.pragma('cache_size', { simple: true })).to.equal(-READ_CACHE_KIB);
    connection.close();
  });

  it('a reader does not make a database', () => {
    expect(() => openReadConnection(join(folder, 'none.db'))).to.throw('unable to open');
  });
});
