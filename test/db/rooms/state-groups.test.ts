import { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { applyMigrations, DB_FOLDER } from '../../../db/kit/migrator.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { step } from '../../../db/kit/write-set.ts';
import { readStateGroupSize } from '../../../db/rooms/head-reader.ts';
import {
  type StateGroupChange,
  type StateGroupWrite,
  storeStateGroup,
} from '../../../db/rooms/state-group-writer.ts';
import { findStateOfGroup, readStateDifference, readStateOfGroup } from '../../../db/rooms/state-reader.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import {
  apply,
  differenceOf,
  eventIdOf,
  hopsBound,
  type NaiveState,
  nameOf,
  placeOf,
  purge,
  PURGE_QUERIES,
  readLayout,
  ROOM_NID,
  sorted,
  sortedChanges,
  storeEvents,
  storeGroup,
  toState,
  writeSteps,
} from './state-group-model.ts';

const SEED = 20_261_124;
const GROUPS = 700;
const PLACES = 60;
const VERSIONS = 4;

type NewGroup = StateGroupWrite & { readonly kind: 'new' };

/** Random changes of different places; some remove an entry that is not there. */
function randomChanges(random: ReturnType<typeof seededRandom>, count: number): StateGroupChange[] {
  const changes = new Map<number, StateGroupChange>();
  for (let made = 0; made < count; made += 1) {
    const index = random.integer(PLACES);
    const eventId = random.integer(4) === 0 ? null : eventIdOf(index, random.integer(VERSIONS));
    changes.set(index, { ...placeOf(index), eventId });
  }
  return [...changes.values()];
}

/** What a group would be that follows any of those before, most of them the last one. */
function randomGroup(
  random: ReturnType<typeof seededRandom>,
  stateGroup: number,
  states: ReadonlyMap<number, NaiveState>,
): NewGroup {
  const known = [...states.keys()];
  const kind = random.integer(100);
  const follows = kind < 75 ? known.at(-1) : known[random.integer(known.length)];
  const parent = kind < 98 ? (follows ?? null) : null;
  const changes = randomChanges(
    random,
    random.integer(12) === 0 ? 1 + random.integer(40) : 1 + random.integer(3),
  );
  const write = { kind: 'new' as const, stateGroup, parent, changes, isCheckpoint: random.integer(40) === 0 };
  if (random.integer(3) > 0) return write;
  const before = states.get(parent ?? 0) ?? new Map<string, string>();
  return { ...write, entriesAdded: apply(before, write).size - before.size };
}

describe(`state groups with any parents (seed ${SEED})`, function () {
  this.timeout(20_000);
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase({ queries: PURGE_QUERIES });
  });
  afterEach(() => database.close());

  const expectState = async (stateGroup: number, state: NaiveState): Promise<void> => {
    const read = await readStateOfGroup(database.db, stateGroup);
    expect(sorted(toState(read)), `group ${stateGroup}`).to.deep.equal(sorted(state));
    expect(read, `group ${stateGroup}, an entry twice`).to.have.length(state.size);
  };
  const expectEntry = async (stateGroup: number, state: NaiveState, index: number): Promise<void> => {
    const { type, stateKey } = placeOf(index);
    const eventId = await findStateOfGroup(database.db, stateGroup, type, stateKey);
    expect(eventId, `group ${stateGroup}, ${nameOf(placeOf(index))}`).to.equal(
      state.get(nameOf(placeOf(index))),
    );
  };
  const expectSize = async (stateGroup: number, state: NaiveState): Promise<void> => {
    const { entries, deltas } = await readStateGroupSize(database.db, stateGroup);
    expect(entries, `entries of ${stateGroup}`).to.equal(state.size);
    const { hops, parent } = await database.db.get(readLayout, { stateGroup });
    expect(deltas === 0, `deltas of ${stateGroup}`).to.equal(parent === null);
    expect(hops, `hops of ${stateGroup}`).to.be.at.most(hopsBound(deltas ?? 0));
  };

  /** Stores random groups one by one; the sizes are looked at right after each. */
  const grow = async (
    random: ReturnType<typeof seededRandom>,
    states: Map<number, NaiveState>,
    from: number,
    to: number,
  ): Promise<void> => {
    for (let stateGroup = from; stateGroup < to; stateGroup += 1) {
      const write = randomGroup(random, stateGroup, states);
      await storeGroup(database, write);
      const state = apply(states.get(write.parent ?? 0) ?? new Map<string, string>(), write);
      states.set(stateGroup, state);
      await expectSize(stateGroup, state);
      const { deltas } = await readStateGroupSize(database.db, stateGroup);
      if (write.parent === null || write.isCheckpoint) expect(deltas).to.equal(0);
      else {
        const before = await readStateGroupSize(database.db, write.parent);
        expect(deltas).to.be.oneOf([0, (before.deltas ?? 0) + write.changes.length]);
      }
      if (random.integer(100) === 0) database.restart();
    }
  };
  const expectAll = async (
    random: ReturnType<typeof seededRandom>,
    states: ReadonlyMap<number, NaiveState>,
  ): Promise<void> => {
    const groups = [...states.keys()];
    for (const [stateGroup, state] of states) {
      await expectState(stateGroup, state);
      for (let round = 0; round < 4; round += 1) await expectEntry(stateGroup, state, random.integer(PLACES));
      const other = groups[random.integer(groups.length)] ?? stateGroup;
      const changes = await readStateDifference(database.db, other, stateGroup);
      expect(sortedChanges(changes), `from ${other} to ${stateGroup}`).to.deep.equal(
        differenceOf(states.get(other) ?? new Map<string, string>(), state),
      );
    }
  };

  it('read as a naive model says: states, entries, differences, sizes, over restarts', async () => {
    const random = seededRandom(SEED);
    await storeEvents(database, PLACES, VERSIONS);
    const states = new Map<number, NaiveState>();
    await grow(random, states, 1, GROUPS);
    await expectAll(random, states);
    const last = GROUPS - 1;
    const whole = await readStateDifference(database.db, null, last);
    expect(sortedChanges(whole)).to.deep.equal(differenceOf(new Map(), states.get(last) ?? new Map()));
    expect(await readStateDifference(database.db, last, last)).to.deep.equal([]);
  });

  it('read the same after a purge, and go on from what is left', async () => {
    const random = seededRandom(SEED + 1);
    await storeEvents(database, PLACES, VERSIONS);
    const states = new Map<number, NaiveState>();
    for (let stateGroup = 1; stateGroup <= 200; stateGroup += 1) {
      const parent = stateGroup === 1 ? null : stateGroup - 1;
      const write = {
        kind: 'new',
        stateGroup,
        parent,
        changes: randomChanges(random, 1),
        isCheckpoint: false,
      } as const;
      await storeGroup(database, write);
      states.set(stateGroup, apply(states.get(stateGroup - 1) ?? new Map<string, string>(), write));
    }
    const { root, hops } = await database.db.get(readLayout, { stateGroup: 200 });
    expect(hops).to.be.greaterThan(1);
    await purge(
      database,
      200,
      Array.from({ length: 200 - root }, (_, index) => root + index),
    );
    for (const stateGroup of states.keys())
      if (stateGroup >= root && stateGroup < 200) states.delete(stateGroup);
    await expectAll(random, states);
    for (const stateGroup of states.keys()) if (stateGroup < 200) states.delete(stateGroup);
    await grow(random, states, 201, 400);
    await expectAll(random, states);
  });

  it('are refused, and leave nothing, when their parent is gone', async () => {
    await storeEvents(database, 2, 1);
    const steps = storeStateGroup(ROOM_NID, {
      kind: 'new',
      stateGroup: 9,
      parent: 8,
      changes: [{ ...placeOf(0), eventId: eventIdOf(0, 0) }],
      isCheckpoint: false,
    });
    const outcome = await database.write.write({ owner: 'rooms', steps });
    expect(outcome).to.include({ kind: 'refused', refusal: 'state-group-is-gone' });
    expect(await readStateOfGroup(database.db, 9)).to.deep.equal([]);
  });

  it('have short chains and cost the same for each change in a large state', async () => {
    const places = 1_500;
    const changes = 4_000;
    await storeEvents(database, places, 1);
    const all = Array.from({ length: places }, (_, index) => ({
      ...placeOf(index),
      eventId: eventIdOf(index, 0),
    }));
    await storeGroup(database, {
      kind: 'new',
      stateGroup: 1,
      parent: null,
      changes: all,
      isCheckpoint: false,
    });
    const steps = [];
    for (let index = 0; index < changes; index += 1) {
      const place = placeOf((index * 7) % places);
      const eventId = index % 3 === 0 ? null : eventIdOf((index * 7) % places, 0);
      const write = { kind: 'new', stateGroup: index + 2, parent: index + 1, isCheckpoint: false } as const;
      steps.push(...storeStateGroup(ROOM_NID, { ...write, changes: [{ ...place, eventId }] }));
    }
    await writeSteps(database, steps);
    let [entries, hopsMax, checkpoints] = [0, 0, 0];
    for (let stateGroup = 2; stateGroup <= changes + 1; stateGroup += 1) {
      const layout = await database.db.get(readLayout, { stateGroup });
      entries += layout.ownEntries;
      hopsMax = Math.max(hopsMax, layout.hops);
      if (layout.parent === null) checkpoints += 1;
    }
    // 63 after the last multiple of 64, and the multiples of 64 in the 2,250 changes between two checkpoints.
    expect(hopsMax).to.be.within(80, 63 + 2_250 / 64 + 1);
    expect(entries / changes).to.be.within(1.9, 3.5);
    expect(checkpoints).to.be.within(1, 3);
    // Between them more places were written than are looked up one by one.
    const [from, to] = [100, 700];
    const states = await Promise.all([from, to].map((group) => readStateOfGroup(database.db, group)));
    const [before = [], after = []] = states;
    const difference = differenceOf(toState(before), toState(after));
    expect(difference.length).to.be.greaterThan(150);
    expect(sortedChanges(await readStateDifference(database.db, from, to))).to.deep.equal(difference);
  });

  it('are checkpoints where that is asked for', async () => {
    await storeEvents(database, 3, 1);
    const write = { kind: 'new', isCheckpoint: false } as const;
    const change = (index: number) => ({ ...placeOf(index), eventId: eventIdOf(index, 0) });
    await storeGroup(database, { ...write, stateGroup: 1, parent: null, changes: [change(0)] });
    await storeGroup(database, {
      ...write,
      stateGroup: 2,
      parent: 1,
      changes: [change(1)],
      isCheckpoint: true,
    });
    await storeGroup(database, { ...write, stateGroup: 3, parent: 1, changes: [change(2)] });
    const { db } = database;
    expect(await db.get(readLayout, { stateGroup: 2 })).to.include({ hops: 0, parent: null, ownEntries: 2 });
    expect(await db.get(readLayout, { stateGroup: 3 })).to.include({ hops: 1, parent: 1, ownEntries: 1 });
  });

  it('write no checkpoint of a small state for a few changes', async () => {
    await storeEvents(database, 2, VERSIONS);
    for (let stateGroup = 1; stateGroup <= 17; stateGroup += 1) {
      const changes = [{ ...placeOf(0), eventId: eventIdOf(0, stateGroup % VERSIONS) }];
      const parent = stateGroup === 1 ? null : stateGroup - 1;
      await storeGroup(database, { kind: 'new', stateGroup, parent, changes, isCheckpoint: false });
      const { deltas } = await readStateGroupSize(database.db, stateGroup);
      expect(deltas).to.equal(stateGroup === 17 ? 0 : stateGroup - 1);
    }
  });
});

const insertOldGroup = defineQuery<{ readonly stateGroup: number; readonly parent: number | null }>({
  name: 'rooms.test-insert-old-group',
  sql: 'INSERT INTO state_groups (state_group, room_nid, parent) VALUES (:stateGroup, 1, :parent)',
});
const insertOldEntry = defineQuery<{
  readonly stateGroup: number;
  readonly stateKey: string;
  readonly eventId: string | null;
}>({
  name: 'rooms.test-insert-old-entry',
  sql: `INSERT INTO state_group_entries (state_group, state_key_nid, event_nid)
        VALUES (:stateGroup, (SELECT state_key_nid FROM state_keys WHERE state_key = :stateKey),
                (SELECT event_nid FROM events WHERE event_id = :eventId))`,
});

/** The events stream as the older version knew it. */
const EVENTS_OF_OLD = {
  name: 'events',
  owner: 'rooms',
  tables: [{ table: 'events', column: 'stream_ordering' }],
};

describe('state groups of an older database', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-old-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** `db/` as it was before the sizes came: only its migrations count. */
  const olderFolder = (): string => {
    const older = join(folder, 'db');
    cpSync(DB_FOLDER, older, { recursive: true, filter: (path) => !path.endsWith('.ts') });
    const migrations = join(older, 'rooms/migrations');
    for (const file of readdirSync(migrations)) if (file >= '0004') rmSync(join(migrations, file));
    return older;
  };

  it('are read, and followed by a checkpoint', async () => {
    const database = await createTestDatabase({ queries: [insertOldGroup, insertOldEntry] });
    try {
      const path = join(folder, 'old.db');
      applyMigrations(path, silentLogger, olderFolder());
      copyFileSync(path, database.path);
      database.restart([EVENTS_OF_OLD]);
      const states = new Map<number, NaiveState>([[0, new Map()]]);
      await storeEvents(database, 30, 2);
      for (let stateGroup = 1; stateGroup <= 60; stateGroup += 1) {
        const { stateKey } = placeOf(stateGroup % 30);
        const eventId = stateGroup % 5 === 0 ? null : eventIdOf(stateGroup % 30, stateGroup % 2);
        const changes = [{ ...placeOf(stateGroup % 30), eventId }];
        const write = { kind: 'new', stateGroup, parent: null, changes, isCheckpoint: false } as const;
        states.set(stateGroup, apply(states.get(stateGroup - 1) ?? new Map<string, string>(), write));
        await writeSteps(database, [
          step(insertOldGroup, { stateGroup, parent: stateGroup === 1 ? null : stateGroup - 1 }),
          step(insertOldEntry, { stateGroup, stateKey, eventId }),
        ]);
      }
      applyMigrations(database.path, silentLogger);
      database.restart();
      const { db } = database;
      for (let stateGroup = 1; stateGroup <= 60; stateGroup += 1) {
        const state = states.get(stateGroup) ?? new Map<string, string>();
        expect(sorted(toState(await readStateOfGroup(db, stateGroup)))).to.deep.equal(sorted(state));
        expect(await readStateGroupSize(db, stateGroup)).to.deep.equal({ entries: null, deltas: null });
      }
      const changes = [
        { ...placeOf(3), eventId: eventIdOf(3, 0) },
        { ...placeOf(4), eventId: null },
      ];
      for (const [stateGroup, parent] of [
        [61, 60],
        [62, 31],
      ] as const) {
        const write = {
          kind: 'new',
          stateGroup,
          parent,
          changes,
          isCheckpoint: false,
          entriesAdded: 7,
        } as const;
        await storeGroup(database, write);
        const state = apply(states.get(parent) ?? new Map<string, string>(), write);
        expect(sorted(toState(await readStateOfGroup(db, stateGroup)))).to.deep.equal(sorted(state));
        expect(await readStateGroupSize(db, stateGroup)).to.deep.equal({ entries: state.size, deltas: 0 });
        const difference = await readStateDifference(db, 20, stateGroup);
        expect(sortedChanges(difference)).to.deep.equal(differenceOf(states.get(20) ?? new Map(), state));
      }
    } finally {
      database.close();
    }
  });
});
