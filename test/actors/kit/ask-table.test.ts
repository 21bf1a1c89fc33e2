import { expect } from 'chai';
import { createAskTable } from '../../../actors/kit/ask-table.ts';
import type { AskTable } from '../../../actors/kit/ask-table.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

describe('ask table', () => {
  let clock: FakeClock;
  let asks: AskTable;
  let outcomes: string[];
  beforeEach(() => {
    clock = createFakeClock();
    asks = createAskTable(clock);
    outcomes = [];
  });

  const open = (name: string, deadlineMs: number, thread = 0): number =>
    asks.open({
      actor: 'a',
      message: name,
      thread,
      deadlineMs,
      resolve: (output) => outcomes.push(`${name} ${String(output)}`),
      reject: (error) => outcomes.push(`${name} ${error.reason}`),
    });

  it('R17 settles each ask once', () => {
    const id = open('m', 100);
    asks.answer(id, 'yes');
    asks.answer(id, 'again');
    asks.fail(id, 'stopped', 'too late');
    asks.answer(999, 'nobody');
    expect(outcomes).to.deep.equal(['m yes']);
    expect(asks.size).to.equal(0);
  });

  it('R18 needs one timer for all, whatever their number', async () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => open(`m${index}`, 30_000));
    expect(clock.pendingTimers).to.equal(1);
    for (const id of ids) asks.answer(id, 'yes');
    open('short', 5);
    expect(clock.pendingTimers).to.equal(1);
    await clock.advance(5);
    expect(outcomes.at(-1)).to.equal('short timed-out');
    await clock.advance(30_000);
    expect(clock.pendingTimers).to.equal(0);
  });

  it('R18 fails each ask at its deadline, whatever the order of asking and answering', async () => {
    const seed = 5;
    const random = seededRandom(seed);
    const dueAt = new Map<string, number>();
    for (let index = 0; index < 300; index += 1) {
      const deadlineMs = [10, 25, 70, 1_000][random.integer(4)] ?? 0;
      const name = `m${index}`;
      const id = open(name, deadlineMs);
      if (random.integer(3) === 0) asks.answer(id, 'yes');
      else dueAt.set(name, clock.monotonic() + deadlineMs);
      if (random.integer(10) === 0) await clock.advance(random.integer(20));
      for (const [due, at] of dueAt)
        expect(outcomes.includes(`${due} timed-out`), `seed ${seed}, ${due}`).to.equal(
          at <= clock.monotonic() && clock.monotonic() > 0,
        );
    }
  });

  it('R18 a deadline that is beyond what a timer can do is no deadline', async () => {
    open('for ever', Infinity);
    open('for long', 2 ** 40);
    await clock.advance(2 ** 33);
    expect(outcomes).to.deep.equal([]);
    await clock.advance(2 ** 40);
    expect(outcomes).to.deep.equal(['for long timed-out']);
  });

  it('R19 fails what was asked of one thread, and nothing else', () => {
    open('here', 100, 1);
    const other = open('there', 100, 2);
    asks.failThread(1, 'gone');
    expect(outcomes).to.deep.equal(['here stopped']);
    asks.answer(other, 'yes');
    expect(outcomes).to.deep.equal(['here stopped', 'there yes']);
    open('last', 100);
    asks.failAll('over');
    expect(outcomes.at(-1)).to.equal('last stopped');
  });
});
