import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  createQuestions,
  LOOKUPS_AT_ONCE_MAX,
  orderTargets,
  QUESTION_DEADLINE_MS,
  SERVICE_TARGETS_MAX,
  systemNameLookup,
  takeTurns,
} from '../../../../src/federation/client/name-lookup.ts';
import { systemClock } from '../../../../src/kit/clock.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';

const record = (name: string, priority: number, weight: number) => ({ name, port: 1, priority, weight });

describe('name lookup', () => {
  it('targets of lower priority come first, each once, as many as are looked at', () => {
    const records = fc.array(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c', 'd'),
        port: fc.integer({ min: 1, max: 9 }),
        priority: fc.integer({ min: 0, max: 3 }),
        weight: fc.integer({ min: 0, max: 5 }),
      }),
      { maxLength: 14 },
    );
    fc.assert(
      fc.property(records, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (given, drawn) => {
        const ordered = orderTargets(given, () => drawn);
        expect(ordered).to.have.length(Math.min(given.length, SERVICE_TARGETS_MAX));
        const sorted = given.toSorted((one, other) => one.priority - other.priority);
        for (const [index, { host, port }] of ordered.entries()) {
          const level = sorted[index]?.priority;
          const fits = given.some((one) => one.name === host && one.port === port && one.priority === level);
          expect(fits, `${host}:${port} at ${index}`).to.equal(true);
        }
      }),
    );
  });
  it('within a priority they are drawn by weight', () => {
    const records = [record('light', 0, 1), record('heavy', 0, 9)];
    expect(orderTargets(records, () => 0.05).map(({ host }) => host)).to.deep.equal(['light', 'heavy']);
    expect(orderTargets(records, () => 0.5).map(({ host }) => host)).to.deep.equal(['heavy', 'light']);
  });
  it('the root as target means that there is no such service', () => {
    expect(orderTargets([record('', 0, 0)], () => 0)).to.deep.equal([]);
    expect(orderTargets([record('.', 0, 0)], () => 0)).to.deep.equal([]);
  });
  it('IPv6 and IPv4 take turns', () => {
    expect(takeTurns(['::1', '::2', '::3', '192.0.2.1'])).to.deep.equal(['::1', '192.0.2.1', '::2', '::3']);
    expect(takeTurns(['192.0.2.1', '192.0.2.2'])).to.deep.equal(['192.0.2.1', '192.0.2.2']);
    expect(takeTurns([])).to.deep.equal([]);
  });
  it('a question that fails has nothing to offer, and neither has one that takes too long', async () => {
    const clock = createFakeClock();
    const ask = createQuestions(clock, 2);
    expect(await ask(() => Promise.resolve(['a']))).to.deep.equal(['a']);
    expect(await ask(() => Promise.reject(new Error('NXDOMAIN')))).to.deep.equal([]);
    const late = ask(() => new Promise<string[]>(() => undefined));
    await clock.advance(QUESTION_DEADLINE_MS);
    expect(await late).to.deep.equal([]);
    expect(clock.pendingTimers).to.equal(0);
  });
  it('only so many are asked at one time; who waited too long is not asked any more', async () => {
    const clock = createFakeClock();
    const ask = createQuestions(clock, LOOKUPS_AT_ONCE_MAX);
    const asked: string[] = [];
    const ends: (() => void)[] = [];
    const slow = (name: string): Promise<readonly string[]> =>
      ask(() => {
        asked.push(name);
        return new Promise((resolve) => ends.push(() => resolve([name])));
      });
    const questions = ['a', 'b', 'c'].map((name) => slow(name));
    await clock.settle();
    expect(asked).to.deep.equal(['a', 'b']);
    ends[0]?.();
    await clock.settle();
    expect(asked).to.deep.equal(['a', 'b', 'c']);
    await clock.advance(QUESTION_DEADLINE_MS - 1);
    const waiting = slow('d');
    const inVain = slow('e');
    await clock.advance(QUESTION_DEADLINE_MS);
    expect(await Promise.all([...questions, waiting, inVain])).to.deep.equal([['a'], [], [], [], []]);
    for (const end of ends) end();
    await clock.settle();
    expect(asked).to.deep.equal(['a', 'b', 'c']);
    const next = slow('f');
    await clock.settle();
    ends.at(-1)?.();
    expect(await next).to.deep.equal(['f']);
  });
  it('addresses are their own, and what name servers do not know the machine may', async () => {
    const names = systemNameLookup(() => 0, systemClock);
    expect(await names.addresses('192.0.2.1')).to.deep.equal(['192.0.2.1']);
    expect(await names.addresses('2001:db8::1')).to.deep.equal(['2001:db8::1']);
  });
});
