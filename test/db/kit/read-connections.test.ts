import { expect } from 'chai';
import { type ClosableReadDb, openReadDb } from '../../../db/kit/read-connections.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { SNAPSHOT_LONG_MS, SNAPSHOT_WAITERS_MAX } from '../../../db/kit/snapshot-pool.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { readMetricSlabs } from '../../../src/kit/metric-reader.ts';
import { createMetricBuffer, createSlabMetrics } from '../../../src/kit/metric-slab.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import {
  createNotes,
  findNote,
  note,
  noteQueries,
  notes,
  notesStream,
  returnNote,
} from './ledger-of-notes.ts';

const SNAPSHOTS_MAX = 2;

/** A promise that a test settles by hand. */
function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

describe('read connections', () => {
  const clock = createFakeClock();
  const buffer = createMetricBuffer();
  let database: TestDatabase;
  let db: ClosableReadDb;
  let warnings: string[];

  beforeEach(async () => {
    database = await createTestDatabase({ queries: noteQueries, streams: [] });
    createNotes(database.path);
    database.restart([notesStream]);
    warnings = [];
    const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
    const metrics = createSlabMetrics(buffer);
    db = openReadDb(database.path, { metrics, clock, log, snapshotsMax: SNAPSHOTS_MAX });
  });
  afterEach(() => {
    db.close();
    database.close();
  });

  it('reads all, the first, and what must exist', async () => {
    await database.write.write(note('a', 'b'));
    expect(await notes(db)).to.deep.equal(['1:a', '2:b']);
    expect(await db.find(findNote, { text: 'b' })).to.deep.equal({ position: 2 });
    expect(await db.find(findNote, { text: 'z' })).to.equal(undefined);
    expect(await db.get(findNote, { text: 'a' })).to.deep.equal({ position: 1 });
    expect(await db.get(findNote, { text: 'z' }).catch(String)).to.include('notes.find found no row');
  });

  it('counts each query under its name', async () => {
    await notes(db);
    const before = readMetricSlabs([buffer]).counters.get('query.notes.list.count') ?? 0;
    await notes(db);
    expect(readMetricSlabs([buffer]).counters.get('query.notes.list.count')).to.equal(before + 1);
  });

  it('cannot write', async () => {
    const error = await db.all(returnNote, { text: 'a', position: 1 }).catch(String);
    expect(error).to.include('readonly');
  });

  it('sees one world within a snapshot while a writer commits, and the new one after it', async () => {
    await database.write.write(note('a'));
    const seen = await db.snapshot(async (inside) => {
      const before = await notes(inside);
      await database.write.write(note('b'));
      return [before, await notes(inside), await notes(db)];
    });
    expect(seen).to.deep.equal([['1:a'], ['1:a'], ['1:a', '2:b']]);
    expect(await db.snapshot(notes)).to.deep.equal(['1:a', '2:b']);
  });

  it('pins the world when the snapshot begins, not at its first read', async () => {
    await database.write.write(note('a'));
    const seen = await db.snapshot(async (inside) => {
      await database.write.write(note('b'));
      return notes(inside);
    });
    expect(seen).to.deep.equal(['1:a']);
  });

  it('a snapshot within a snapshot is the same world', async () => {
    const seen = await db.snapshot(async (outer) => {
      await database.write.write(note('a'));
      return outer.snapshot(notes);
    });
    expect(seen).to.deep.equal([]);
  });

  it('rejects a read after the end of its snapshot, and gives the connection back when the work throws', async () => {
    let escaped: ReadDb = db;
    const failing = db.snapshot((inside) => {
      escaped = inside;
      return Promise.reject(new Error('broken work'));
    });
    expect(await failing.catch(String)).to.equal('Error: broken work');
    expect(await notes(escaped).catch(String)).to.include('this snapshot is over');
    for (let round = 0; round <= SNAPSHOTS_MAX; round += 1)
      expect(await db.snapshot(notes)).to.deep.equal([]);
  });

  it('lets further snapshots wait for a free connection, boundedly, in order', async () => {
    const held = gate();
    const holding = Array.from({ length: SNAPSHOTS_MAX }, () => db.snapshot(() => held.opened));
    const order: number[] = [];
    const waiting = Array.from({ length: SNAPSHOT_WAITERS_MAX }, (_, index) =>
      db.snapshot(async () => {
        order.push(index);
      }),
    );
    expect(await db.snapshot(notes).catch(String)).to.include(
      `${SNAPSHOT_WAITERS_MAX} snapshots are waiting`,
    );
    expect(order).to.deep.equal([]);
    held.open();
    await Promise.all([...holding, ...waiting]);
    expect(order).to.deep.equal(waiting.map((_, index) => index));
    expect(await db.snapshot(notes)).to.deep.equal([]);
  });

  it('logs a snapshot that is open for long, and only that', async () => {
    await db.snapshot(notes);
    const held = gate();
    const long = db.snapshot(() => held.opened);
    await clock.advance(SNAPSHOT_LONG_MS);
    held.open();
    await long;
    expect(warnings).to.deep.equal(['a snapshot is open for long']);
    expect(clock.pendingTimers).to.equal(0);
  });

  it('rejects reads and waiting snapshots when it is closed', async () => {
    const held = gate();
    const holding = Array.from({ length: SNAPSHOTS_MAX }, () => db.snapshot(() => held.opened));
    const waiting = db.snapshot(notes).catch(String);
    await clock.settle();
    db.close();
    expect(await waiting).to.include('closed');
    expect(await notes(db).catch(String)).to.include('not open');
    expect(await db.snapshot(notes).catch(String)).to.include('closed');
    held.open();
    await Promise.all(holding);
  });
});
