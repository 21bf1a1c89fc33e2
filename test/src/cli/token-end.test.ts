import { expect } from 'chai';
import { WrongUsage } from '../../../src/cli/command.ts';
import { parseEnd } from '../../../src/cli/token-end.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const HOUR = 3_600_000;

describe('when a token ends', () => {
  it('is a length from now on, a day to its end, or a moment', () => {
    expect(parseEnd('90m', NOW)).to.equal(NOW + 1.5 * HOUR);
    expect(parseEnd('12h', NOW)).to.equal(NOW + 12 * HOUR);
    expect(parseEnd('7d', NOW)).to.equal(NOW + 7 * 24 * HOUR);
    expect(parseEnd('2w', NOW)).to.equal(NOW + 14 * 24 * HOUR);
    expect(parseEnd('2027-01-31', NOW)).to.equal(new Date(2027, 0, 31, 23, 59, 59).getTime());
    expect(parseEnd('2027-01-31T10:00Z', NOW)).to.equal(Date.UTC(2027, 0, 31, 10));
  });

  it('is refused when it is no time, has passed, or is far away', () => {
    for (const [text, why] of [
      ['soon', 'is no time'],
      ['7', 'is no time'],
      ['2027-13-40', 'is no time'],
      ['2026-11-01', 'has passed'],
      ['0d', 'has passed'],
      ['2126-11-01', 'more than ten years'],
      ['999999w', 'more than ten years'],
    ] as const)
      expect(() => parseEnd(text, NOW), text).to.throw(WrongUsage, why);
  });
});
