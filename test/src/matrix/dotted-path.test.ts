import { expect } from 'chai';
import { parseDottedPath, selectPaths, valueAt } from '../../../src/matrix/dotted-path.ts';
import { readVectors } from './vectors/read-vectors.ts';

const { cases } = readVectors('dotted-paths') as {
  readonly cases: readonly { readonly path: string; readonly segments: readonly string[] }[];
};

describe('dotted paths', () => {
  for (const { path, segments } of cases) {
    it(`split ${path}`, () => expect(parseDottedPath(path)).to.deep.equal(segments));
  }

  it('keep a backslash at the end', () => {
    expect(parseDottedPath('a\\')).to.deep.equal(['a\\']);
    expect(parseDottedPath('')).to.deep.equal(['']);
  });

  const object = { a: { 'b.c': 1, d: { e: 2, f: 3 }, list: [1] }, g: null };

  it('find values', () => {
    expect(valueAt(object, ['a', 'b.c'])).to.equal(1);
    expect(valueAt(object, ['g'])).to.equal(null);
    for (const path of [['x'], ['a', 'x'], ['g', 'x'], ['a', 'list', '0'], ['a', 'constructor']]) {
      expect(valueAt(object, path), path.join('.')).to.equal(undefined);
    }
  });

  it('select parts of an object', () => {
    const select = (...paths: readonly string[]): unknown => selectPaths(object, paths.map(parseDottedPath));
    expect(select('a.b\\.c', 'a.d.e')).to.deep.equal({ a: { 'b.c': 1, d: { e: 2 } } });
    expect(select('a.d.e', 'a.d', 'g')).to.deep.equal({ a: { d: { e: 2, f: 3 } }, g: null });
    expect(select('a.d', 'a.d.e')).to.deep.equal({ a: { d: { e: 2, f: 3 } } });
    expect(select('a.x.y', 'g.x', 'nothing')).to.deep.equal({});
    expect(select()).to.deep.equal({});
  });

  it('select a key named __proto__', () => {
    const strange = JSON.parse('{"__proto__":{"a":1},"b":2}') as { readonly [key: string]: never };
    expect(JSON.stringify(selectPaths(strange, [['__proto__', 'a']]))).to.equal('{"__proto__":{"a":1}}');
  });
});
