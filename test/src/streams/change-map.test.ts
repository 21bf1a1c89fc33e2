import { expect } from 'chai';
import { createChangeMap } from '../../../src/streams/change-map.ts';

describe('change map', () => {
  it('knows where each key last changed', () => {
    const changes = createChangeMap(0);
    changes.record('room:!a', 3);
    changes.record('room:!b', 5);
    changes.record('room:!a', 7);
    expect(changes.mayHaveChanged('room:!a', 6)).to.equal(true);
    expect(changes.mayHaveChanged('room:!a', 7)).to.equal(false);
    expect(changes.mayHaveChanged('room:!b', 5)).to.equal(false);
    expect(changes.mayHaveChanged('room:!never', 0)).to.equal(false);
    expect(changes.lastChange('room:!a')).to.equal(7);
    expect(changes.lastChange('room:!never')).to.equal(undefined);
    changes.record('everyone', 8);
    expect(changes.lastChange('room:!a')).to.equal(8);
    changes.restart(9);
    expect(changes.lastChange('room:!a')).to.equal(undefined);
  });

  it('says "changed" for what it does not know, never "unchanged"', () => {
    const changes = createChangeMap(10, 2);
    expect(changes.mayHaveChanged('room:!a', 9)).to.equal(true);
    expect(changes.mayHaveChanged('room:!a', 10)).to.equal(false);
    changes.record('room:!a', 11);
    changes.record('room:!b', 12);
    changes.record('room:!a', 13);
    changes.record('room:!c', 14);
    expect(changes.mayHaveChanged('room:!b', 11)).to.equal(true);
    expect(changes.mayHaveChanged('room:!b', 12)).to.equal(false);
    expect(changes.mayHaveChanged('room:!a', 12)).to.equal(true);
    expect(changes.mayHaveChanged('room:!a', 13)).to.equal(false);
  });

  it('what changed for everyone changed for each', () => {
    const changes = createChangeMap(0);
    changes.record('everyone', 4);
    expect(changes.mayHaveChanged('user:@a:x', 3)).to.equal(true);
    expect(changes.mayHaveChanged('user:@a:x', 4)).to.equal(false);
  });
});
