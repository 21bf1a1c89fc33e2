import { expect } from 'chai';
import { createNotifier, type Notifier } from '../../../src/streams/notifier.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createFigures, type Figures } from './figures.ts';

describe('notifier', () => {
  let clock: FakeClock;
  let figures: Figures;
  let notifier: Notifier;

  beforeEach(() => {
    clock = createFakeClock();
    figures = createFigures();
    notifier = createNotifier(clock, figures.metrics);
  });

  it('wakes who is parked under a key, once, and nobody else', async () => {
    const outcomes: string[] = [];
    const park = (name: string, ...keys: `room:${string}`[]): void => {
      void notifier.park(keys, 1000).outcome.then((outcome) => outcomes.push(`${name} ${outcome}`));
    };
    park('both', 'room:!a', 'room:!b');
    park('other', 'room:!c');
    notifier.wake(['room:!a', 'room:!b']);
    notifier.wake(['room:!a']);
    await clock.settle();
    expect(outcomes).to.deep.equal(['both woken']);
    expect(figures.counter('notifier.woken')).to.equal(1);
    notifier.close();
  });

  it('wakes everybody for everyone', async () => {
    const polls = [notifier.park(['user:@a:x'], 1000), notifier.park(['room:!b'], 1000)];
    notifier.wake(['everyone']);
    expect(await Promise.all(polls.map(({ outcome }) => outcome))).to.deep.equal(['woken', 'woken']);
  });

  it('lets a poll go after its time, and not before', async () => {
    const poll = notifier.park(['user:@a:x'], 1000);
    await clock.advance(999);
    expect(notifier.size()).to.equal(1);
    await clock.advance(1);
    expect(await poll.outcome).to.equal('timed-out');
    expect(await notifier.park(['user:@a:x'], 0).outcome).to.equal('timed-out');
  });

  it('is left without a trace by polls that are over, however they ended', async () => {
    const keys = (index: number) => [`user:@${index}:x`, `room:!${index % 10}`] as const;
    const polls = Array.from({ length: 5_000 }, (_, index) => notifier.park(keys(index), 1000 + index));
    expect([notifier.size(), clock.pendingTimers]).to.deep.equal([5_000, 5_000]);
    expect(figures.gauge('notifier.parked')).to.equal(5_000);
    expect(figures.gauge('notifier.keys')).to.equal(5_010);
    notifier.wake(['room:!1', 'room:!2']);
    for (const poll of polls.slice(0, 1_000)) poll.cancel();
    expect(figures.counter('notifier.woken')).to.equal(1_000);
    expect(figures.counter('notifier.cancelled')).to.equal(800);
    notifier.close();
    expect([notifier.size(), clock.pendingTimers, figures.gauge('notifier.parked')]).to.deep.equal([0, 0, 0]);
    expect(figures.gauge('notifier.keys')).to.equal(0);
    expect(new Set(await Promise.all(polls.map(({ outcome }) => outcome)))).to.deep.equal(
      new Set(['cancelled', 'woken']),
    );
  });
});
