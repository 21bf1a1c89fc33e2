import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadQueries } from '../../../db/kit/load-queries.ts';

describe('the registry of queries', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-queries-'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function put(owner: string, file: string, source: string): void {
    mkdirSync(join(folder, owner), { recursive: true });
    writeFileSync(join(folder, owner, file), source);
  }
  const query = (name: string) => `{ name: '${name}', sql: 'SELECT 1', scans: [] }`;

  it('collects what the files of every owner export, and nothing that is not a query', async () => {
    put(
      'cats',
      'reader.ts',
      `export const a = ${query('cats.a')}; export const limit = 3; export function read() {}`,
    );
    put('cats', 'writer.ts', `export { a } from './reader.ts'; export const b = ${query('cats.b')};`);
    put('dogs', 'queries.ts', `export const a = ${query('dogs.a')};`);
    put('kit', 'other.ts', `throw new Error('the kit is no owner');`);
    const names = [...(await loadQueries(folder)).keys()].filter((name) => !name.startsWith('streams.'));
    expect(names).to.deep.equal(['cats.a', 'cats.b', 'dogs.a']);
  });

  it('throws for two queries of one name', async () => {
    put('cats', 'reader.ts', `export const a = ${query('cats.a')};`);
    put('cats', 'writer.ts', `export const a = ${query('cats.a')};`);
    expect(await loadQueries(folder).catch(String)).to.include('two queries called cats.a');
  });

  it('throws for a query that is not called after its folder', async () => {
    put('cats', 'reader.ts', `export const a = ${query('dogs.a')};`);
    expect(await loadQueries(folder).catch(String)).to.include(
      'cats/reader.ts: the name of the query dogs.a',
    );
  });
});
