import { expect } from 'chai';
import { admitToken } from '../../../src/streams/token-admission.ts';
import type { SyncToken } from '../../../src/streams/token.ts';
import { READ_YOUR_WRITES_WAIT_MS } from '../../../src/streams/view.ts';
import { moodStream } from './stream-doubles.ts';
import { createViewHarness, type ViewHarness } from './view-harness.ts';

describe('admitting a token', () => {
  let harness: ViewHarness;
  let now: number;
  beforeEach(() => {
    harness = createViewHarness();
    now = harness.clock.now();
    harness.position(0);
    harness.moodPosition(6, 0);
    harness.moodRows(6, 0, [{ position: 2, row: { roomId: '!a', mood: 'glad' } }]);
  });
  afterEach(() => harness.views.close());

  const admit = (notes: number, epoch = 6, moods = 2): Promise<SyncToken> =>
    admitToken(
      { positions: { notes: { epoch: 0, position: notes }, moods: { epoch, position: moods } } },
      harness.views,
      harness.log.db,
      [harness.log.stream, moodStream],
    );

  it('4.8 clamps what was never allocated, without waiting for it', async () => {
    harness.log.commit('!a');
    harness.rows(0, 1);
    expect((await admit(900, 6, 900)).positions).to.deep.equal({
      notes: { epoch: 0, position: 1 },
      moods: { epoch: 6, position: 2 },
    });
    expect([harness.clock.now(), harness.clock.pendingTimers]).to.deep.equal([now, 0]);
  });

  it('4.8 waits for what another thread has seen already', async () => {
    harness.log.commit('!a', '!b');
    const admitted = admit(2);
    await harness.clock.settle();
    harness.rows(0, 2);
    expect((await admitted).positions['notes']).to.deep.equal({ epoch: 0, position: 2 });
    expect(harness.clock.now()).to.equal(now);
  });

  it('4.8 does not wait longer than for a write of its own', async () => {
    harness.log.commit('!a');
    const admitted = admit(1);
    await harness.clock.advance(READ_YOUR_WRITES_WAIT_MS);
    expect((await admitted).positions['notes']).to.deep.equal({ epoch: 0, position: 0 });
  });

  it('4.8 an older epoch is the beginning of this one', async () => {
    expect((await admit(0, 5, 900)).positions['moods']).to.deep.equal({ epoch: 6, position: 0 });
  });
});
