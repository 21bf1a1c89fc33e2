import { expect } from 'chai';
import {
  createPositionTracker,
  type PositionTracker,
  UNFINISHED_POSITIONS_MAX,
} from '../../../src/streams/position-tracker.ts';

function writerAt(start: number): PositionTracker {
  return createPositionTracker({ stream: 'notes', role: 'writer', start });
}

describe('position tracker', () => {
  it('1.2 a follower has no positions to give', () => {
    const follower = createPositionTracker({ stream: 'notes', role: 'follower', start: 1 });
    expect(() => follower.reserve()).to.throw('reserve on the follower of notes');
    expect(() => follower.complete(2)).to.throw('complete on the follower of notes');
  });

  it('1.2 the writer does not advance its own stream', () => {
    expect(() => writerAt(1).advance(2)).to.throw('advance on the writer of notes');
  });

  it('1.3 the token is the highest position that is complete with all before it', () => {
    const writer = writerAt(1);
    expect(writer.reserve(2)).to.deep.equal([2, 3]);
    expect(writer.complete(3)).to.equal(1);
    expect(writer.complete(2)).to.equal(3);
    expect(writer.reserve(3)).to.deep.equal([4, 5, 6]);
    expect(writer.complete(5)).to.equal(3);
    expect(writer.complete(4)).to.equal(5);
    expect(writer.complete(6)).to.equal(6);
    expect(writer.current()).to.equal(6);
  });

  it('1.3 only what is unfinished can be completed, once', () => {
    const writer = writerAt(0);
    writer.reserve(2);
    writer.complete(2);
    expect(() => writer.complete(2)).to.throw('not unfinished');
    expect(() => writer.complete(3)).to.throw('not unfinished');
    writer.complete(1);
    expect(() => writer.complete(1)).to.throw('not unfinished');
  });

  it('1.8 positions of history never move a follower', () => {
    const follower = createPositionTracker({ stream: 'notes', role: 'follower', start: 4 });
    expect(follower.advance(-9)).to.equal(4);
    expect(follower.advance(3)).to.equal(4);
    expect(follower.advance(6)).to.equal(6);
  });

  it('does not take more unfinished positions than its bound', () => {
    const writer = writerAt(0);
    writer.reserve(UNFINISHED_POSITIONS_MAX);
    expect(() => writer.reserve()).to.throw('unfinished positions');
    writer.complete(1);
    expect(writer.reserve()).to.have.length(1);
  });
});
