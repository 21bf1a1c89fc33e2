import { expect } from 'chai';
import * as fc from 'fast-check';
import { compileStarPattern } from '../../../src/matrix/star-pattern.ts';

describe('star patterns', () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['m.room', ['m.room'], ['m.room.x', 'xm.room', '']],
    ['m.room.*', ['m.room.', 'm.room.name'], ['m.room', 'xm.room.name']],
    ['*', ['', 'anything'], []],
    ['**', ['', 'anything'], []],
    ['a*a', ['aa', 'aba', 'aaa'], ['a', 'ab', 'ba']],
    ['a*b*c', ['abc', 'axxbxxc', 'abbc'], ['ac', 'acb', 'abcx']],
    ['*b*', ['b', 'abc'], ['ac']],
    ['*ab*ab', ['abab', 'xabyab'], ['ab', 'aab']],
    ['m.[a]?', ['m.[a]?'], ['m.a', 'm.ax']],
  ];
  for (const [pattern, matching, other] of cases) {
    it(pattern, () => {
      const matches = compileStarPattern(pattern);
      for (const text of matching) expect(matches(text), text).to.equal(true);
      for (const text of other) expect(matches(text), text).to.equal(false);
    });
  }

  it('agree with the regular expression of the same meaning', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 });
    const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
    fc.assert(
      fc.property(letters, texts, (pattern, text) => {
        const expression = new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
        expect(compileStarPattern(pattern)(text)).to.equal(expression.test(text));
      }),
      { numRuns: 500 },
    );
  });
});
