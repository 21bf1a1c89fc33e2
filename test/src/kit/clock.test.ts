import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { sleep, systemClock } from '../../../src/kit/clock.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

describe('clock', () => {
  it('counts monotonic time from one zero on all threads', async () => {
    const entry = `
      import { parentPort } from 'node:worker_threads';
      import { systemClock } from ${JSON.stringify(new URL('../../../src/kit/clock.ts', import.meta.url).href)};
      parentPort.postMessage(systemClock.monotonic());
    `;
    const before = systemClock.monotonic();
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(entry)}`));
    const theirs = await new Promise<number>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', resolve);
    });
    expect(theirs).to.be.within(before, systemClock.monotonic());
    await worker.terminate();
  });

  it('cancels timers', async () => {
    const timer = systemClock.after(0, () => expect.fail('it was cancelled'));
    systemClock.cancel(timer);
    await sleep(systemClock, 1);
  });
});

describe('fake clock', () => {
  it('runs timers in order of their time, each at its own', async () => {
    const clock = createFakeClock(1_000);
    const fired: string[] = [];
    clock.after(20, () => fired.push(`late ${clock.now()}`));
    clock.after(10, () => {
      fired.push(`early ${clock.now()}`);
      clock.after(5, () => fired.push(`nested ${clock.now()}`));
    });
    clock.after(10, () => fired.push(`second ${clock.monotonic()}`));
    clock.cancel(clock.after(1, () => fired.push('cancelled')));
    await clock.advance(19);
    expect(fired).to.deep.equal(['early 1010', 'second 10', 'nested 1015']);
    expect([clock.now(), clock.pendingTimers]).to.deep.equal([1_019, 1]);
    await clock.advance(1);
    expect(fired.at(-1)).to.equal('late 1020');
  });

  it('lets what a timer sets off come to rest before the next', async () => {
    const clock = createFakeClock();
    const seen: number[] = [];
    const run = async (): Promise<void> => {
      for (let round = 0; round < 3; round += 1) {
        await sleep(clock, 10);
        seen.push(clock.monotonic());
      }
    };
    void run();
    await clock.advance(100);
    expect(seen).to.deep.equal([10, 20, 30]);
  });
});
