import { expect } from 'chai';
import { standBack } from '../../../src/kit/clock.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

describe('work behind everybody’s back', () => {
  it('lets others work nine times as long as it took', async () => {
    const clock = createFakeClock();
    let isOver = false;
    void standBack(clock, 20).then(() => (isOver = true));
    await clock.advance(179);
    expect(isOver).to.equal(false);
    await clock.advance(1);
    expect(isOver).to.equal(true);
  });

  it('that took no time lets nobody wait', async () => {
    const clock = createFakeClock();
    await standBack(clock, 0);
    expect(clock.pendingTimers).to.equal(0);
  });
});
