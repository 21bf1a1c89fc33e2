import { expect } from 'chai';
import { createBoundedQueue } from '../../../src/kit/bounded-queue.ts';
import { seededRandom } from '../../../src/kit/random.ts';

describe('bounded queue', () => {
  it('gives back in order what it took, from both ends', () => {
    const queue = createBoundedQueue<number>(10);
    queue.push(1);
    queue.push(2);
    queue.unshift(0);
    expect(queue.peek()).to.equal(0);
    expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()]).to.deep.equal([0, 1, 2, undefined]);
  });

  it('takes no more than its limit', () => {
    const queue = createBoundedQueue<number>(2);
    expect([queue.push(1), queue.push(2), queue.push(3), queue.unshift(4)]).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
    expect(queue.size).to.equal(2);
    queue.clear();
    expect([queue.size, queue.peek(), queue.push(5), queue.shift()]).to.deep.equal([0, undefined, true, 5]);
  });

  it('refuses a limit that holds nothing', () => {
    expect(() => createBoundedQueue(0)).to.throw(RangeError);
    expect(() => createBoundedQueue(1.5)).to.throw(RangeError);
  });

  it('does what a list does, whatever is done to it', () => {
    const random = seededRandom(11);
    const queue = createBoundedQueue<number>(50);
    const list: number[] = [];
    for (let step = 0; step < 5_000; step += 1) {
      const choice = random.integer(5);
      if (choice < 2 && list.length < 50) list.push(step);
      if (choice < 2) queue.push(step);
      else if (choice === 2) {
        if (list.length < 50) list.unshift(step);
        queue.unshift(step);
      } else expect(queue.shift(), `seed 11, step ${step}`).to.equal(list.shift());
      expect(queue.size, `seed 11, step ${step}`).to.equal(list.length);
    }
  });
});
