import { expect } from 'chai';
import { backoffMs } from '../../../src/kit/backoff.ts';
import { seededRandom } from '../../../src/kit/random.ts';

const POLICY = { initialMs: 100, factor: 3, maxMs: 1_000 };

describe('backoff', () => {
  it('grows by its factor up to its cap', () => {
    expect([1, 2, 3, 4, 1_000].map((failures) => backoffMs(POLICY, failures))).to.deep.equal([
      100, 300, 900, 1_000, 1_000,
    ]);
  });

  it('takes off up to a fifth at random', () => {
    const random = seededRandom(3);
    const waits = Array.from({ length: 200 }, () => backoffMs(POLICY, 2, random));
    expect(Math.min(...waits)).to.be.within(240, 250);
    expect(Math.max(...waits)).to.be.within(290, 300);
  });
});
