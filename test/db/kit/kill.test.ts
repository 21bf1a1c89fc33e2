import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { applyMigrations } from '../../../db/kit/migrator.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import {
  createTables,
  type Keeper,
  type KeeperAnswer,
  type KeeperOrder,
  readNotes,
  startKeeper,
} from './note-keeper-orders.ts';

const STREAMS = ['notes', 'letters'];
const ITERATIONS = 200;
/** The kill falls at random within this time after the order, while the store opens and recovers, or after the first answer. */
const KILL_WITHIN_MS = 20;
/** Of so many kills one falls after the order. */
const EARLY_KILL_OF = 4;

type Committed = Extract<KeeperAnswer, { readonly kind: 'committed' }>;

function committed(answers: readonly KeeperAnswer[]): readonly Committed[] {
  return answers.filter((answer) => answer.kind === 'committed');
}

describe('killed by SIGKILL', function () {
  this.timeout(120_000);
  let folder: string;
  let path: string;
  const order = (life: number, more: Partial<KeeperOrder> = {}): KeeperOrder => ({
    path,
    streams: STREAMS,
    life,
    writers: 4,
    setsMax: 1_000_000,
    padding: 10,
    diesIn: null,
    ...more,
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-kill-'));
    path = join(folder, 'troupe.db');
    applyMigrations(path, silentLogger);
    createTables(path, STREAMS);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('1.4 between allocation and commit: the positions are given again, and none is missing or doubled', async () => {
    const lives: Keeper[] = [];
    for (const [life, diesIn] of [null, 'notes', null].entries()) {
      const keeper = await startKeeper();
      keeper.order(order(life, { diesIn, writers: 1, setsMax: 2 }));
      expect(await keeper.ended()).to.equal('');
      expect(keeper.process.signalCode).to.equal(diesIn === null ? null : 'SIGKILL');
      lives.push(keeper);
    }
    const positions = lives.map(({ answers }) => committed(answers).map(({ position }) => position));
    expect(positions).to.deep.equal([[1, 2], [], [4, 5]]);
    const { rows, mark } = readNotes(path, 'notes');
    expect(rows.map(({ position }) => position)).to.deep.equal([1, 2, 3, 4, 5, 6]);
    expect(rows.map(({ text }) => text.split('-')[0])).to.deep.equal(['0', '0', '0', '2', '2', '2']);
    expect(mark).to.equal(6);
  });

  it(`4.7 at ${ITERATIONS} random points: positions unique and rising, every acknowledged write there once`, async () => {
    const seed = Date.now() % 1_000_000;
    const random = seededRandom(seed);
    const acknowledged: Committed[] = [];
    // The compile cache is written by a process that ends by itself.
    const warm = await startKeeper();
    warm.order(order(0, { writers: 1, setsMax: 0 }));
    await warm.ended();
    let next = startKeeper();
    for (let life = 0; life < ITERATIONS; life += 1) {
      const keeper = await next;
      // The next one starts while this one works: most of an iteration is the start of a process.
      next = startKeeper();
      keeper.order(order(life));
      if (life % EARLY_KILL_OF > 0) await keeper.answered();
      await new Promise((resolve) => setTimeout(resolve, random.integer(KILL_WITHIN_MS * 10) / 10));
      keeper.process.kill('SIGKILL');
      expect(await keeper.ended(), `seed ${seed}, life ${life}`).to.equal('');
      acknowledged.push(...committed(keeper.answers));
    }
    const spare = await next;
    spare.process.kill('SIGKILL');
    await spare.ended();

    expect(acknowledged.length, `seed ${seed}`).to.be.greaterThan(ITERATIONS);
    for (const stream of STREAMS) checkStream(stream, acknowledged, seed);
  });

  function checkStream(stream: string, acknowledged: readonly Committed[], seed: number): void {
    const { rows, mark } = readNotes(path, stream);
    const said = acknowledged.filter((answer) => answer.stream === stream);
    const where = `seed ${seed}, stream ${stream}`;
    expect(rows.length, where).to.be.greaterThan(100);
    expect(mark, where).to.equal(rows.at(-1)?.position);
    expect(new Set(rows.map(({ text }) => text)).size, where).to.equal(rows.length);
    // What a later life wrote stands above everything of the lives before it, without a hole.
    expect(
      rows.map(({ position }) => position),
      where,
    ).to.deep.equal(rows.map((_, index) => index + 1));
    const lives = rows.map(({ text }) => Number(text.split('-')[0]));
    expect(lives, where).to.deep.equal(lives.toSorted((a, b) => a - b));
    const positionOf = new Map(rows.map(({ text, position }) => [text, position]));
    for (const { position, texts } of said)
      for (const [offset, text] of texts.entries())
        expect(positionOf.get(text), where).to.equal(position + offset);
  }
});
