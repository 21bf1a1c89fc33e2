import { expect } from 'chai';
import {
  type GroupCommit,
  openGroupCommit,
  SETS_PER_TRANSACTION_MAX,
  SETS_WAITING_MAX,
  TRANSACTION_BYTES_MAX,
} from '../../../db/kit/group-commit.ts';
import type { WriteOutcome, WriteSet } from '../../../db/kit/write-set.ts';
import { step } from '../../../db/kit/write-set.ts';
import { WriteSetDefect } from '../../../db/kit/write-transaction.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { readMetricSlabs } from '../../../src/kit/metric-reader.ts';
import { createMetricBuffer, createSlabMetrics } from '../../../src/kit/metric-slab.ts';
import {
  createTestDatabase,
  silentMetrics,
  type TestDatabase,
  testDeclarations,
} from '../../support/database.ts';
import {
  brokenNote,
  createNotes,
  findNote,
  insertNote,
  note,
  noteQueries,
  notes,
  notesStream,
  refusedNote,
  returnNote,
} from './ledger-of-notes.ts';

/** What became of each set, in one word. */
async function kinds(writes: readonly Promise<WriteOutcome>[]): Promise<string[]> {
  const settled = await Promise.allSettled(writes);
  return settled.map((result) => {
    if (result.status === 'fulfilled') return result.value.kind;
    return result.reason instanceof WriteSetDefect ? 'defect' : String(result.reason);
  });
}

describe('group commit', () => {
  let database: TestDatabase;
  let buffer: SharedArrayBuffer;
  const counter = (name: string) => readMetricSlabs([buffer]).counters.get(name) ?? 0;

  beforeEach(async () => {
    buffer = createMetricBuffer();
    const metrics = createSlabMetrics(buffer);
    database = await createTestDatabase({ queries: noteQueries, metrics, streams: [] });
    createNotes(database.path);
    database.restart([notesStream]);
  });
  afterEach(() => database.close());

  /** Opens a second life whose commits the test triggers itself. */
  async function openByHand(): Promise<{ commit: GroupCommit; endTurn: () => void; pending: () => number }> {
    database.write.close();
    const turns: (() => void)[] = [];
    const commit = openGroupCommit({
      path: database.path,
      ...(await testDeclarations({ queries: noteQueries, streams: [notesStream] })),
      metrics: silentMetrics,
      clock: systemClock,
      log: silentLogger,
      whenTurnEnds: (run) => void turns.push(run),
    });
    return { commit, endTurn: () => turns.shift()?.(), pending: () => turns.length };
  }

  it('commits a lone set and gives its position', async () => {
    const outcome = await database.write.write(note('a'));
    expect(outcome).to.deep.equal({ kind: 'committed', position: 1, returned: {} });
    expect(await notes(database.db)).to.deep.equal(['1:a']);
    expect(database.write.position('notes')).to.equal(1);
  });

  it('makes one transaction of what is waiting at one moment', async () => {
    const writes = ['a', 'b', 'c', 'd'].map((text) => database.write.write(note(text)));
    const positions = (await Promise.all(writes)).map(
      (outcome) => outcome.kind === 'committed' && outcome.position,
    );
    expect(positions).to.deep.equal([1, 2, 3, 4]);
    expect(counter('commit.transactions')).to.equal(1);
    expect(counter('commit.sets')).to.equal(4);
  });

  it('binds positions by offset, forward and backward, and returns rows by step', async () => {
    const advance = { stream: 'notes', count: 3 } as const;
    const at = (text: string, positionOffset: number) =>
      step(returnNote, { text }, { positionOffset, returns: true });
    const forward = await database.write.write({
      owner: 'notebook',
      advance,
      steps: [at('c', 2), at('a', 0)],
    });
    expect(forward).to.deep.equal({
      kind: 'committed',
      position: 1,
      returned: { 0: [{ position: 3, text: 'c' }], 1: [{ position: 1, text: 'a' }] },
    });
    const backward = await database.write.write({
      owner: 'notebook',
      advance: { ...advance, direction: 'backward' },
      steps: [at('x', 0), at('z', 2)],
    });
    expect(backward).to.have.property('position', -1);
    expect(await notes(database.db)).to.deep.equal(['-3:z', '-1:x', '1:a', '3:c']);
  });

  it('undoes only the set whose guard says no', async () => {
    const sets = [note('a'), refusedNote('r'), note('b')];
    const [, refused] = await Promise.all(sets.map((set) => database.write.write(set)));
    expect(refused).to.deep.equal({ kind: 'refused', refusal: 'gone', step: 1 });
    expect(await notes(database.db)).to.deep.equal(['1:a', '2:b']);
    expect(counter('commit.refused')).to.equal(1);
    expect(counter('commit.transactions')).to.equal(1);
  });

  it('refuses alone as well, and a refusal without a word is called by its query', async () => {
    expect(await database.write.write(refusedNote('r'))).to.have.property('kind', 'refused');
    const guard = step(findNote, { text: 'r' }, { expectChanges: 1 });
    const outcome = await database.write.write({ owner: 'notebook', steps: [guard] });
    expect(outcome).to.deep.equal({ kind: 'refused', refusal: 'notes.find', step: 0 });
    expect(await notes(database.db)).to.deep.equal([]);
  });

  it('takes the rows of a SELECT as a guard', async () => {
    await database.write.write(note('a'));
    const guard = step(findNote, { text: 'a' }, { expectChanges: 1, refusal: 'gone' });
    const { steps, ...set } = note('b');
    expect(await database.write.write({ ...set, steps: [guard, ...steps] })).to.have.property(
      'kind',
      'committed',
    );
  });

  it('fails only the defective set: constraint, unknown query, missing parameter, wrong advance', async () => {
    const { write } = database;
    const other: WriteSet = { ...note('o'), owner: 'somebody else' };
    const stranger: WriteSet = { ...note('s'), advance: { stream: 'unknown', count: 1 } };
    const unbound: WriteSet = {
      owner: 'notebook',
      steps: [step(insertNote, { text: 'u' }, { positionOffset: 0 })],
    };
    const outside: WriteSet = {
      ...note('x'),
      steps: [step(insertNote, { text: 'x' }, { positionOffset: 1 })],
    };
    const missing: WriteSet = {
      owner: 'notebook',
      steps: [{ query: insertNote.name, params: { text: 'm' } }],
    };
    const unknown: WriteSet = { owner: 'notebook', steps: [{ query: 'notes.unknown', params: {} }] };
    const none: WriteSet = { ...note('n'), advance: { stream: 'notes', count: 0 } };
    const bad = [brokenNote('twice'), other, stranger, unbound, outside, missing, unknown, none];
    const writes = [note('a'), ...bad, note('b')].map((set) => write.write(set));
    const expected = ['committed', ...bad.map(() => 'defect'), 'committed'];
    expect(await kinds(writes)).to.deep.equal(expected);
    expect(await notes(database.db)).to.deep.equal(['1:a', '2:b']);
    expect(counter('commit.defects')).to.equal(bad.length);
    for (const set of bad) expect(await kinds([write.write(set)])).to.deep.equal(['defect']);
    expect(await write.write(note('c'))).to.have.property('position', 3);
  });

  it('runs the neighbours again when one set takes the whole transaction along', async () => {
    const writes = [note('a'), note('alone'), refusedNote('r'), note('b')].map((set) =>
      database.write.write(set),
    );
    expect(await kinds(writes)).to.deep.equal(['committed', 'defect', 'refused', 'committed']);
    expect(await notes(database.db)).to.deep.equal(['1:a', '2:b']);
    expect(database.write.position('notes')).to.equal(2);
  });

  it('stops running again after a few, and says honestly that nothing of the rest was written', async () => {
    const alone = Array.from({ length: 8 }, () => database.write.write(note('alone')));
    const innocent = database.write.write(note('a'));
    const outcome = await innocent;
    expect(outcome).to.include({ kind: 'unavailable', fault: 'busy' });
    expect(new Set(await kinds(alone))).to.deep.equal(new Set(['defect', 'unavailable']));
    expect(await notes(database.db)).to.deep.equal([]);
    expect(await database.write.write(note('b'))).to.have.property('position', 1);
  });

  it('commits the sets of one owner in the order of the calls', async () => {
    const texts = Array.from({ length: 300 }, (_, index) => `n${index}`);
    await Promise.all(texts.map((text) => database.write.write(note(text))));
    expect(await notes(database.db)).to.deep.equal(texts.map((text, index) => `${index + 1}:${text}`));
  });

  it('cuts batches by number and by bytes, and leaves the rest to the next turn', async () => {
    const { commit, endTurn, pending } = await openByHand();
    const many = Array.from({ length: SETS_PER_TRANSACTION_MAX + 1 }, (_, index) =>
      commit.write(note(`n${index}`)),
    );
    expect(pending()).to.equal(1);
    endTurn();
    expect(commit.position('notes')).to.equal(SETS_PER_TRANSACTION_MAX);
    endTurn();
    await Promise.all(many);
    expect(pending()).to.equal(0);
    const large = ['a', 'b', 'c'].map((text) =>
      commit.write(note(text.repeat(TRANSACTION_BYTES_MAX / 2 + 1))),
    );
    for (const done of [1, 2, 3]) {
      endTurn();
      expect(commit.position('notes')).to.equal(SETS_PER_TRANSACTION_MAX + 1 + done);
    }
    await Promise.all(large);
    commit.close();
  });

  it('1.4 is settled when every set that came before has its outcome, and waits for none that came later', async () => {
    const { commit, endTurn, pending } = await openByHand();
    const done: string[] = [];
    const settle = (name: string): Promise<void> =>
      commit.settled().then(() => void done.push(`${name} at ${commit.position('notes')}`));
    await settle('nothing');
    const first = Array.from({ length: SETS_PER_TRANSACTION_MAX - 1 }, (_, index) => `n${index}`);
    const writes = [...first.map((text) => note(text)), brokenNote('twice'), refusedNote('r')].map((set) =>
      commit.write(set),
    );
    const outcomes = kinds(writes);
    const settled = settle('all');
    const later = Array.from({ length: SETS_PER_TRANSACTION_MAX }, (_, index) =>
      commit.write(note(`l${index}`)),
    );
    endTurn();
    // A turn of the loop: promises have come to rest.
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).to.deep.equal(['nothing at 0']);
    endTurn();
    await settled;
    expect(pending()).to.equal(1);
    expect(done[1]).to.equal(`all at ${commit.position('notes')}`);
    expect(commit.position('notes')).to.be.lessThan(first.length + later.length);
    expect((await outcomes).slice(-2)).to.deep.equal(['defect', 'refused']);
    endTurn();
    await Promise.all(later);
    commit.close();
    await settle('closed');
    expect(done).to.have.lengthOf(3);
  });

  it('says that it is busy when too many wait, and goes on afterwards', async () => {
    const { commit, endTurn } = await openByHand();
    const waiting = Array.from({ length: SETS_WAITING_MAX }, (_, index) => commit.write(note(`n${index}`)));
    expect(await commit.write(note('over'))).to.include({ kind: 'unavailable', fault: 'busy' });
    while (commit.position('notes') < SETS_WAITING_MAX) endTurn();
    await Promise.all(waiting);
    const last = commit.write(note('last'));
    endTurn();
    expect(await last).to.have.property('position', SETS_WAITING_MAX + 1);
    commit.close();
  });

  it('commits what waits when it closes, and rejects what comes later', async () => {
    const writes = [database.write.write(note('a')), database.write.write(note('b'))];
    database.write.close();
    expect(await kinds(writes)).to.deep.equal(['committed', 'committed']);
    expect(await notes(database.db)).to.deep.equal(['1:a', '2:b']);
    expect(await kinds([database.write.write(note('c'))])).to.deep.equal(['Error: the store is closed']);
  });

  it('counts statements under the names of their queries', async () => {
    await database.write.write(note('a', 'b', 'c'));
    expect(counter('query.notes.insert.count')).to.equal(3);
    expect(counter('query.notes.insert.us')).to.be.greaterThan(0);
  });
});
