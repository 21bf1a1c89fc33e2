import { expect } from 'chai';
import { figuresUnder } from '../../../src/inspector/metric-names.ts';

describe('figuresUnder', () => {
  const values = new Map<string, number>([
    ['cache.members.hits', 3],
    ['cache.members.not-stored', 1],
    ['cached.members.hits', 9],
    ['cache', 9],
    ['stream.a.b.applied', 5],
  ]);

  it('takes names apart at the first dot after the prefix', () => {
    expect(figuresUnder(values, 'cache')).to.deep.equal([
      { subject: 'members', figure: 'hits', value: 3 },
      { subject: 'members', figure: 'not-stored', value: 1 },
    ]);
  });

  it('finds given subjects, dots and all, and no others', () => {
    expect(figuresUnder(values, 'stream', ['a.b'])).to.deep.equal([
      { subject: 'a.b', figure: 'applied', value: 5 },
    ]);
    expect(figuresUnder(values, 'stream', ['b'])).to.deep.equal([]);
  });
});
