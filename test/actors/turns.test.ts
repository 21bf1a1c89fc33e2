import { expect } from 'chai';
import { createTurns } from '../../actors/turns.ts';

describe('turns', () => {
  it('let so many work at one moment, the others in their order', async () => {
    const turns = createTurns(2);
    const begun: number[] = [];
    const ends = [1, 2, 3, 4].map((number) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const done = turns.run(async () => {
        begun.push(number);
        await promise;
      });
      return { resolve, done };
    });
    expect(begun).to.deep.equal([1, 2]);
    expect(turns.waiting).to.equal(2);
    ends[1]?.resolve();
    await ends[1]?.done;
    expect(begun).to.deep.equal([1, 2, 3]);
    for (const { resolve } of ends) resolve();
    await Promise.all(ends.map(({ done }) => done));
    expect(begun).to.deep.equal([1, 2, 3, 4]);
    expect(turns.waiting).to.equal(0);
  });
});
