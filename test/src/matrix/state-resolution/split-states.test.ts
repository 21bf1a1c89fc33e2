import { expect } from 'chai';
import { splitStates } from '../../../../src/matrix/state-resolution/split-states.ts';

const states = [
  new Map([
    ['same', '$same'],
    ['other', '$one'],
    ['first only', '$first'],
  ]),
  new Map([
    ['same', '$same'],
    ['other', '$two'],
    ['not in the first', '$later'],
  ]),
  new Map([
    ['same', '$same'],
    ['other', '$one'],
    ['not in the first', '$later'],
  ]),
];

describe('splitStates', () => {
  it('finds agreed what every state has, and lists each disputed event once', () => {
    const { unconflicted, conflicted } = splitStates(states);
    expect(unconflicted).to.deep.equal(new Map([['same', '$same']]));
    expect(conflicted).to.deep.equal(
      new Map([
        ['first only', ['$first']],
        ['not in the first', ['$later']],
        ['other', ['$one', '$two']],
      ]),
    );
  });

  it('finds only different events disputed in version 1', () => {
    const { unconflicted, conflicted } = splitStates(states, 'v1');
    expect(unconflicted).to.deep.equal(
      new Map([
        ['first only', '$first'],
        ['not in the first', '$later'],
        ['same', '$same'],
      ]),
    );
    expect(conflicted).to.deep.equal(new Map([['other', ['$one', '$two']]]));
  });

  it('finds nothing disputed in one state, and throws for none', () => {
    const [first = new Map<string, string>()] = states;
    expect(splitStates([first]).unconflicted).to.deep.equal(first);
    expect(splitStates([first]).conflicted.size).to.equal(0);
    expect(() => splitStates([])).to.throw('no state');
  });
});
