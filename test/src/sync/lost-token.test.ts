import { expect } from 'chai';
import { forgetLost } from '../../../src/sync/lost-token.ts';
import { positionsToSkip } from '../../../src/streams/lost-positions.ts';
import { parseToken, type SyncToken } from '../../../src/streams/token.ts';

const DAY_MS = 86_400_000;

describe('forgetLost', () => {
  const skipped = positionsToSkip(DAY_MS);
  const now: SyncToken = {
    positions: {
      events: { epoch: 0, position: 300 + skipped },
      'account-data': { epoch: 0, position: 40 + skipped },
      'to-device': { epoch: 0, position: 70 + skipped },
      'device-lists': { epoch: 0, position: 9 + skipped },
      keys: { epoch: 0, position: 9 + skipped },
      typing: { epoch: 12, position: 20_000_000_000 },
    },
  };
  const at = (events: number, others: Readonly<Record<string, number>> = {}): SyncToken => ({
    positions: {
      ...now.positions,
      events: { epoch: 0, position: events },
      ...Object.fromEntries(Object.entries(others).map(([name, position]) => [name, { epoch: 0, position }])),
    },
  });

  it('tells everything again to who has what was lost, but for what tells by itself', () => {
    const before = at(512, { 'account-data': 41, 'to-device': 71, 'device-lists': 10, keys: 10 });
    const typing = { epoch: 12, position: 1 };
    const token = forgetLost({ positions: { ...before.positions, typing } }, now);
    expect(token.positions).to.deep.equal({
      events: { epoch: 0, position: 0 },
      'account-data': { epoch: 0, position: 0 },
      'to-device': { epoch: 0, position: 71 },
      'device-lists': { epoch: 0, position: 10 },
      keys: { epoch: 0, position: 10 },
      typing,
    });
  });

  it('leaves a token alone that is of this life, or at the beginning', () => {
    for (const token of [now, at(300 + skipped - 1_000_000), at(0)])
      expect(forgetLost(token, now)).to.equal(token);
  });

  it('forgets the cursor of sticky events with the events', () => {
    const token = parseToken('s512_y3.4_z5') as SyncToken;
    expect(token.sticky).to.not.equal(undefined);
    expect(forgetLost(token, now).sticky).to.equal(undefined);
  });

  it('skips more than a server can have given out, also when clocks are wrong', () => {
    expect(positionsToSkip(DAY_MS)).to.be.greaterThan(DAY_MS * 500);
    expect(positionsToSkip(-DAY_MS)).to.equal(positionsToSkip(0));
    expect(positionsToSkip(0)).to.be.greaterThan(1_000_000_000);
  });
});
