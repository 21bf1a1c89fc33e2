import { expect } from 'chai';
import { defineQuery } from '../../db/kit/query.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { createLoop } from './loop.ts';
import { slowReads } from './slow-reads.ts';

const READS = 60;
const ONE = defineQuery<Record<string, never>, number>({ name: 'test.one', sql: 'SELECT 1' });

/** A database that answers at once. */
const QUICK = { all: () => Promise.resolve([1]) } as Partial<ReadDb> as ReadDb;

/** A thread that reads. */
function openThread() {
  const random = seededRandom(1);
  const lane = createLoop(random).lane('reads');
  let isAlive = true;
  const db = slowReads(QUICK, { random, lanes: [lane], fails: () => false, isAlive: () => isAlive });
  let settled = 0;
  return {
    ask(): void {
      const count = (): void => void (settled += 1);
      db.all(ONE, {}).then(count, count);
    },
    die(): void {
      isAlive = false;
      db.abandon();
      lane.end();
    },
    settled: () => settled,
  };
}

/** Promises that are on their way come to rest. */
function rest(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe('the slow reads of the simulation', () => {
  it('leave nobody waiting whose thread dies in the very moment of asking', async () => {
    const thread = openThread();
    for (let read = 0; read < READS; read += 1) thread.ask();
    thread.die();
    await rest();
    expect(thread.settled()).to.equal(READS);
  });

  it('leave nobody waiting whose thread dies later', async () => {
    const thread = openThread();
    for (let read = 0; read < READS; read += 1) thread.ask();
    await rest();
    expect(thread.settled()).to.be.lessThan(READS);
    thread.die();
    await rest();
    expect(thread.settled()).to.equal(READS);
  });
});
