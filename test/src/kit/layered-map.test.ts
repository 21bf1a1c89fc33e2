import { expect } from 'chai';
import { layOver } from '../../../src/kit/layered-map.ts';
import { seededRandom } from '../../../src/kit/random.ts';

const SEED = 20_261_125;

describe(`a layered map (seed ${SEED})`, () => {
  it('is like a map that was written to', () => {
    const random = seededRandom(SEED);
    for (let round = 0; round < 200; round += 1) {
      const base = new Map<string, number>();
      const changes = new Map<string, number | null>();
      for (let made = random.integer(12); made > 0; made -= 1) base.set(`k${random.integer(15)}`, made);
      for (let made = random.integer(8); made > 0; made -= 1)
        changes.set(`k${random.integer(15)}`, random.integer(3) === 0 ? null : made + 100);
      const written = new Map(base);
      for (const [key, value] of changes) {
        if (value === null) written.delete(key);
        else written.set(key, value);
      }
      const layered = layOver(base, changes);
      expect(layered.size).to.equal(written.size);
      expect([...layered]).to.deep.equal([...written]);
      expect([...layered.entries()]).to.deep.equal([...written]);
      expect([...layered.keys()]).to.deep.equal([...written.keys()]);
      expect([...layered.values()]).to.deep.equal([...written.values()]);
      const visited: [string, number][] = [];
      layered.forEach((value, key, of) => {
        expect(of).to.equal(layered);
        visited.push([key, value]);
      });
      expect(visited).to.deep.equal([...written]);
      for (let key = 0; key < 16; key += 1) {
        expect(layered.get(`k${key}`)).to.equal(written.get(`k${key}`));
        expect(layered.has(`k${key}`)).to.equal(written.has(`k${key}`));
      }
    }
  });

  it('is its base where nothing changes', () => {
    const base = new Map([['a', 1]]);
    expect(layOver(base, new Map())).to.equal(base);
  });
});
