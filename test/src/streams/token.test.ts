import { expect } from 'chai';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import {
  clampToken,
  formatToken,
  parseToken,
  positionIn,
  type SyncToken,
  TOKEN_CHARACTERS_MAX,
} from '../../../src/streams/token.ts';
import { streams } from '../../../src/streams/registry.ts';

function parsed(text: string): SyncToken {
  const token = parseToken(text);
  if (isRefusal(token)) throw new Error(`refused: ${text}`);
  return token;
}

describe('sync token', () => {
  it('is a letter and a position per stream, with the epoch of in-memory streams', () => {
    const text = formatToken({
      positions: {
        events: { epoch: 0, position: 12 },
        'account-data': { epoch: 0, position: 3 },
        typing: { epoch: 1_826_000_000_000_000, position: 44 },
      },
    });
    expect(text).to.match(/^s12_a3_/);
    expect(text).to.include('_t1826000000000000.44');
    expect(text.split('_')).to.have.length(streams.filter(({ letter }) => letter !== null).length);
  });

  it('comes back as it was', () => {
    const positions = Object.fromEntries(
      streams
        .filter(({ letter }) => letter !== null)
        .map(({ name, kind }, index) => [
          name,
          { epoch: kind === 'memory' ? 77 : 0, position: index * 1000 },
        ]),
    );
    expect(parsed(formatToken({ positions }))).to.deep.equal({ positions });
  });

  it('ignores letters that no stream has, and reads missing ones as the beginning', () => {
    const token = parsed('s12_z9_y4.5');
    expect(positionIn(token, 'events')).to.deep.equal({ epoch: 0, position: 12 });
    expect(positionIn(token, 'receipts')).to.deep.equal({ epoch: 0, position: 0 });
    expect(Object.keys(token.positions)).to.not.include('z');
  });

  for (const text of [
    '',
    's',
    '12',
    's-1',
    's1.2',
    't5',
    's1__a2',
    's1_s2',
    's01',
    'S1',
    's1_a2 ',
    's9999999999999999',
    't1.9999999999999999',
    `s1${'_z1'.repeat(TOKEN_CHARACTERS_MAX)}`,
  ])
    it(`refuses ${JSON.stringify(text.slice(0, 24))} with 400 M_INVALID_PARAM`, () => {
      const token = parseToken(text);
      if (!isRefusal(token)) throw new Error('not refused');
      expect([token.errcode, token.status]).to.deep.equal(['M_INVALID_PARAM', 400]);
    });

  it('4.8 a position ahead of what was ever allocated is clamped to it', () => {
    const limits = parsed('s10_t5.3');
    expect(positionIn(clampToken(parsed('s900_t5.900'), limits), 'events').position).to.equal(10);
    expect(positionIn(clampToken(parsed('s900_t5.900'), limits), 'typing').position).to.equal(3);
    expect(positionIn(clampToken(parsed('s9_t5.2'), limits), 'events').position).to.equal(9);
  });

  it('4.8 an unknown or older epoch is the beginning of the current one', () => {
    const limits = parsed('t5.3');
    for (const epoch of [0, 4, 6])
      expect(positionIn(clampToken(parsed(`t${epoch}.2`), limits), 'typing')).to.deep.equal({
        epoch: 5,
        position: 0,
      });
  });

  it('carry where sticky events did not fit, by letters that no stream has', () => {
    const sticky = { told: 12, joined: 5, within: 3 };
    const text = formatToken({ positions: {}, sticky });
    expect(parsed(text).sticky).to.deep.equal(sticky);
    expect(parsed(formatToken({ positions: {} })).sticky).to.equal(undefined);
    expect(parsed('z3_y12.5').sticky).to.deep.equal(sticky);
    expect(parsed('s1_z3').sticky).to.equal(undefined);
    for (const letter of ['y', 'z']) expect(streams.map((stream) => stream.letter)).to.not.include(letter);
  });
});
