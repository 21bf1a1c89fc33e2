import { expect } from 'chai';
import { defineQuery } from '../../../db/kit/query.ts';
import { planStateGroup } from '../../../actors/rooms/state-groups.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readStateGroupSize } from '../../../db/rooms/head-reader.ts';
import { readLocalMemberships } from '../../../db/rooms/membership-reader.ts';
import { readMembers } from '../../../db/rooms/member-reader.ts';
import {
  readCurrentState,
  readStateAt,
  readStateChanges,
  readStateDifference,
  readStateOfGroup,
  type StateChange,
  type StateEntry,
} from '../../../db/rooms/state-reader.ts';
import { isOfServer } from '../../../src/matrix/identifiers/domain.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import {
  ALICE,
  change,
  makeRoom,
  openRoomsHouse,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
  SERVER,
} from './rooms-house.ts';

const SEED = 20_261_123;
const CHANGES = 200;

type State = ReadonlyMap<string, string>;

const nameOf = ({ type, stateKey }: Pick<StateEntry, 'type' | 'stateKey'>): string => `${type}|${stateKey}`;
const toState = (entries: readonly StateEntry[]): State =>
  new Map(entries.map((entry) => [nameOf(entry), entry.eventId]));
const asObject = (state: State): Record<string, string> => Object.fromEntries(state);

/** What makes `from` into `to`. */
function differenceOf(from: State, to: State): Record<string, string | null> {
  const changes: Record<string, string | null> = {};
  for (const [name, eventId] of to) if (from.get(name) !== eventId) changes[name] = eventId;
  for (const name of from.keys()) if (!to.has(name)) changes[name] = null;
  return changes;
}
const asChanges = (changes: readonly StateChange[]): Record<string, string | null> =>
  Object.fromEntries(changes.map((one) => [nameOf(one), one.eventId]));

const countEntries = defineQuery<
  { readonly stateGroup: number },
  { readonly parent: number | null; readonly entries: number }
>({
  name: 'test.count-entries',
  sql: `SELECT parent, (SELECT count(*) FROM state_group_entries WHERE state_group = :stateGroup) AS entries
          FROM state_groups WHERE state_group = :stateGroup`,
});

interface Replayed {
  readonly eventId: string;
  readonly position: number;
  /** The state after it. */
  readonly state: State;
}

/** Makes random changes of one room, with messages between them and restarts, and replays them naively. */
async function replay(house: RoomsHouse, roomId: string): Promise<readonly Replayed[]> {
  const random = seededRandom(SEED);
  const replayed: Replayed[] = [];
  const state = new Map(toState(await readCurrentState(house.database.db, roomId)));
  for (let index = 0; index < CHANGES; index += 1) {
    const user = `@user${random.integer(40)}:${random.integer(3) === 0 ? 'other.example' : SERVER}`;
    const kind = random.integer(10);
    let name: string | null = null;
    let reply;
    if (kind < 3) {
      reply = await sendMessage(house, roomId, ALICE, `message ${index}`);
    } else if (kind < 6) {
      const type = `test.type${random.integer(5)}`;
      const stateKey = `key${random.integer(6)}`;
      name = `${type}|${stateKey}`;
      reply = await sendState(house, roomId, ALICE, { type, stateKey, content: { index } });
    } else {
      const action = (['invite', 'join', 'leave', 'ban'] as const)[random.integer(4)] ?? 'invite';
      const sender = action === 'join' || action === 'leave' ? user : ALICE;
      name = `m.room.member|${user}`;
      reply = await change(house, roomId, action, sender, user, { index });
    }
    if (reply.kind !== 'sent') continue;
    if (name !== null) state.set(name, reply.eventId);
    replayed.push({ eventId: reply.eventId, position: reply.position, state: new Map(state) });
    if (random.integer(40) === 0) await house.restart();
  }
  return replayed;
}

describe(`state groups (seed ${SEED})`, () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  it('give the state at every event that a naive replay gives', async () => {
    const roomId = await makeRoom(house);
    const { db } = house.database;
    const replayed = await replay(house, roomId);
    expect(replayed.length).to.be.greaterThan(100);
    let checkpoints = 0;
    const seen = new Set<number>();
    for (const { eventId, position, state } of replayed) {
      const { stateGroup } = (await findEvent(db, eventId)) ?? { stateGroup: null };
      if (stateGroup === null) throw new Error(`${eventId} has no state group`);
      expect(asObject(toState(await readStateOfGroup(db, stateGroup)))).to.deep.equal(asObject(state));
      expect(asObject(toState(await readStateAt(db, roomId, position)))).to.deep.equal(asObject(state));
      const row = await db.get(countEntries, { stateGroup });
      if (row.parent === null && !seen.has(stateGroup)) checkpoints += 1;
      // What changed since a multiple of 64, at most.
      if (row.parent !== null) expect(row.entries).to.be.at.most(64);
      seen.add(stateGroup);
    }
    expect(checkpoints).to.be.greaterThan(0);
    const last = replayed.at(-1);
    expect(asObject(toState(await readCurrentState(db, roomId)))).to.deep.equal(
      asObject(last?.state ?? new Map()),
    );
  });

  it('give the difference of any two of them, and the changes of any range', async () => {
    const roomId = await makeRoom(house);
    const { db } = house.database;
    const replayed = await replay(house, roomId);
    const random = seededRandom(SEED + 1);
    for (let round = 0; round < 60; round += 1) {
      const from = replayed[random.integer(replayed.length)];
      const to = replayed[random.integer(replayed.length)];
      if (from === undefined || to === undefined) continue;
      const groups = await Promise.all([from, to].map(({ eventId }) => findEvent(db, eventId)));
      const changes = await readStateDifference(
        db,
        groups[0]?.stateGroup ?? null,
        groups[1]?.stateGroup ?? 0,
      );
      expect(asChanges(changes)).to.deep.equal(differenceOf(from.state, to.state));
      if (from.position > to.position) continue;
      const inRange = await readStateChanges(db, roomId, from.position, to.position);
      expect(asChanges(inRange)).to.deep.equal(differenceOf(from.state, to.state));
    }
    const all = await readStateDifference(
      db,
      null,
      (await findEvent(db, replayed[0]?.eventId ?? ''))?.stateGroup ?? 0,
    );
    expect(all).to.have.length(replayed[0]?.state.size ?? 0);
  });

  it('5.7 leave local_memberships equal to the local members of current state', async () => {
    const roomId = await makeRoom(house);
    await replay(house, roomId);
    const members = await readMembers(house.database.db, roomId, null);
    const local = members.filter(({ userId }) => isOfServer(userId, SERVER));
    const rows = await readLocalMemberships(house.database.db, roomId);
    const asText = ({ userId, membership, eventId }: (typeof members)[number]): string =>
      `${userId} ${membership} ${eventId}`;
    expect(rows.map(asText).toSorted()).to.deep.equal(local.map(asText).toSorted());
    expect(members.length).to.be.greaterThan(local.length);
  });

  it('cost the same for each change, however large the room is', async () => {
    const roomId = await makeRoom(house, {
      events: Array.from({ length: 400 }, (_, index) => ({
        type: 'test.entry',
        stateKey: `${index}`,
        content: {},
      })),
    });
    const entriesOf = defineQuery<Record<string, never>, { readonly count: number }>({
      name: 'test.count-all-entries',
      sql: 'SELECT count(*) AS count FROM state_group_entries',
    });
    const { db } = house.database;
    const before = (await db.get(entriesOf, {})).count;
    const changes = Array.from({ length: 600 }, (_, index) =>
      sendState(house, roomId, ALICE, { type: 'test.entry', stateKey: `${index % 400}`, content: { index } }),
    );
    for (const reply of await Promise.all(changes)) sent(reply);
    const perChange = ((await db.get(entriesOf, {})).count - before) / 600;
    expect(perChange).to.be.within(1, 4);
  });

  it('keep the size of the state beside each group, and need not look at the state for it after a restart', async () => {
    const readsOfChange = async (entries: number): Promise<number> => {
      const events = Array.from({ length: entries }, (_, index) => ({
        type: 'test.entry',
        stateKey: `${index}`,
        content: {},
      }));
      const roomId = await makeRoom(house, { events });
      await house.restart();
      const before = house.reads();
      const reply = sent(await change(house, roomId, 'join', '@new:example.com'));
      const reads = house.reads() - before;
      const { db } = house.database;
      const { stateGroup } = (await findEvent(db, reply.eventId)) ?? { stateGroup: null };
      const current = await readCurrentState(db, roomId);
      expect(current).to.have.length(entries + 5);
      expect((await readStateGroupSize(db, stateGroup ?? 0)).entries).to.equal(current.length);
      return reads;
    };
    expect(await readsOfChange(300)).to.equal(await readsOfChange(0));
  });
});

describe('planStateGroup', () => {
  const numbers = { next: () => 7 };
  const changes = [{ type: 'test.entry', stateKey: '', eventId: null }];

  it('gives the parent itself where nothing changes, and a new group otherwise', () => {
    expect(planStateGroup(3, [], numbers)).to.deep.equal({ kind: 'existing', stateGroup: 3 });
    const made = { kind: 'new', stateGroup: 7, changes, isCheckpoint: false };
    expect(planStateGroup(3, changes, numbers)).to.deep.equal({ ...made, parent: 3 });
    expect(planStateGroup(null, changes, numbers)).to.deep.equal({ ...made, parent: null });
  });

  it('throws for a state of nothing', () => {
    expect(() => planStateGroup(null, [], numbers)).to.throw('without a parent and without a change');
  });
});
