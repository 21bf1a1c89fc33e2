import { expect } from 'chai';
import * as fc from 'fast-check';
import { createSmallestFirst } from '../../../../src/matrix/state-resolution/smallest-first.ts';

describe('createSmallestFirst', () => {
  it('gives the smallest of what is in it at that moment, and then nothing', () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant('pop' as const)));
    fc.assert(
      fc.property(steps, (list) => {
        const queue = createSmallestFirst<number>((left, right) => left < right);
        let expected: number[] = [];
        for (const step of [...list, ...list.map(() => 'pop' as const)]) {
          if (step === 'pop') {
            expect(queue.pop()).to.equal(expected.shift());
          } else {
            queue.push(step);
            expected = [...expected, step].toSorted((left, right) => left - right);
          }
        }
      }),
    );
  });
});
