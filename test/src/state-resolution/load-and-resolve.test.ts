import { expect } from 'chai';
import type { ResolutionTask } from '../../../actors/pool/protocol.ts';
import type { StateGroupChange } from '../../../db/rooms/state-group-writer.ts';
import { edgeIds } from '../../../src/matrix/events/pdu.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { stateName } from '../../../src/matrix/state-resolution/state-map.ts';
import { loadAndResolve } from '../../../src/state-resolution/load-and-resolve.ts';
import { layOver } from '../../../src/state-resolution/stored-states.ts';
import type { TestDatabase } from '../../support/database.ts';
import { CREATOR, createForkDatabase, type ForkedRoom, startForkedRoom } from './forked-room.ts';
import { furnish, growRandomRoom } from './random-room.ts';

const SEED = 20_261_201;
const ROOMS_PER_VERSION = 6;
const ANN = '@ann:example.com';
const BEN = '@ben:one.example';

/** The task of resolving the states after some events. */
function taskOf(room: ForkedRoom, eventIds: readonly string[]): Omit<ResolutionTask, 'databasePath'> {
  return {
    roomVersion: room.version.id,
    roomId: room.roomId,
    branches: eventIds.map((eventId) => ({ stateGroup: room.stateGroupAfter(eventId), changes: [] })),
    unstored: [],
    comparedWith: null,
  };
}

const topic = (sender: string, value: string) => ({
  type: 'm.room.topic',
  stateKey: '',
  sender,
  content: { topic: value },
});

describe('loading and resolving stored states', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createForkDatabase();
  });
  afterEach(() => database.close());

  async function resolve(task: Omit<ResolutionTask, 'databasePath'>) {
    const resolved = await loadAndResolve(database.db, task);
    if (resolved === undefined) throw new Error('given up');
    return resolved;
  }

  for (const version of ['1', '2', '6', '11', '12'])
    it(`gives what a source with everything gives, random rooms of version ${version}, seed ${SEED}`, async function () {
      this.timeout(20_000);
      let conflicts = 0;
      for (let index = 0; index < ROOMS_PER_VERSION; index += 1) {
        const seed = SEED + index;
        const random = seededRandom(seed);
        const { room, eventIds } = growRandomRoom(database, random, version, 60);
        await room.flush();
        const pick = (): string => eventIds[random.integer(eventIds.length)] ?? '';
        for (let round = 0; round < 10; round += 1) {
          const branches = [pick(), pick(), pick()];
          const compared = pick();
          const task = { ...taskOf(room, branches), comparedWith: room.stateGroupAfter(compared) };
          const resolved = await resolve(task);
          const expected = room.resolve(branches);
          const base = room.stateAfter(branches[resolved.base] ?? '');
          expect(layOver(base, resolved.changes), `seed ${seed}`).to.deep.equal(expected);
          const made = layOver(room.stateAfter(compared), resolved.comparedChanges);
          expect(made, `seed ${seed}`).to.deep.equal(expected);
          conflicts += resolved.conflictedEvents;
        }
      }
      expect(conflicts).to.be.greaterThan(100);
    });

  /** Ann is made a moderator on one branch and sets the topic; Ben sets it on the other. */
  function fork(version = '11') {
    const room = startForkedRoom(database, version);
    furnish(room, [ANN, BEN]);
    const root = room.newest;
    const users = { ...(room.version.creatorsArePrivileged ? {} : { [CREATOR]: 100 }), [ANN]: 50 };
    room.add({ type: 'm.room.power_levels', stateKey: '', sender: CREATOR, content: { users } });
    const left = room.add(topic(ANN, 'left'));
    const right = room.add({ ...topic(CREATOR, 'right'), prev: [root] });
    return { room, root, left, right };
  }

  it('names the nearest branch, and what differs from no state', async () => {
    const { room, left, right } = fork();
    const further = Array.from({ length: 5 }, (_, index) =>
      room.add({
        type: `test.${index}`,
        stateKey: '',
        sender: CREATOR,
        prev: [index === 0 ? left : room.newest],
      }),
    );
    await room.flush();
    const ends = [right, further.at(-1) ?? ''];
    const resolved = await resolve(taskOf(room, ends));
    expect(resolved.base).to.equal(1);
    expect(resolved.changes.length).to.be.lessThan(2);
    const made = layOver(new Map(), resolved.comparedChanges);
    expect(made).to.deep.equal(room.resolve(ends));
    expect(resolved.conflictedEvents).to.be.greaterThan(2);
  });

  it('has nothing to do for states that agree', async () => {
    const { room, root } = fork();
    await room.flush();
    const resolved = await loadAndResolve(database.db, taskOf(room, [root, root]), { eventsMax: 0 });
    expect(resolved).to.deep.include({ base: 0, changes: [], conflictedEvents: 0 });
  });

  for (const version of ['1', '11', '12'])
    it(`lays what is not stored over the database, version ${version}`, async () => {
      const { room, left, right } = fork(version);
      const kick = {
        type: 'm.room.member',
        stateKey: ANN,
        sender: CREATOR,
        content: { membership: 'leave' },
        prev: [right],
        isUnstored: true,
      };
      const unstored = [room.add(kick)];
      unstored.push(room.add({ ...topic(CREATOR, 'unstored'), prev: unstored, isUnstored: true }));
      await room.flush();
      const end = unstored.at(-1) ?? '';
      const changes: StateGroupChange[] = [
        { type: 'm.room.member', stateKey: ANN, eventId: unstored[0] ?? '' },
        { type: 'm.room.topic', stateKey: '', eventId: end },
      ];
      const branches = [
        { stateGroup: room.stateGroupAfter(left), changes: [] },
        { stateGroup: room.stateGroupAfter(right), changes },
      ];
      const task = { ...taskOf(room, [left, right]), branches };
      const texts = unstored.map((eventId) => ({ eventId, pdu: room.pduText(eventId) }));
      const resolved = await resolve({ ...task, unstored: texts });
      const base = room.stateAfter([left, right][resolved.base] ?? '');
      const expected = room.resolve([left, end]);
      expect(layOver(base, resolved.changes)).to.deep.equal(expected);
      expect(expected.get(stateName('m.room.member', ANN))).to.equal(unstored[0]);
      const failure: unknown = await resolve(task).catch((error: unknown) => error);
      expect(String(failure)).to.match(/\$.* not loaded/);
    });

  it('does not name auth events that nobody knows', async () => {
    const { room, left, right } = fork();
    const lost = edgeIds(room.events.get(left)?.pdu.auth_events ?? []).at(-1);
    room.forget(lost ?? '');
    await room.flush();
    expect((await resolve(taskOf(room, [left, right]))).kind).to.equal('resolved');
  });

  it('gives up beyond its bound, and not at it', async () => {
    const { room, left, right } = fork();
    await room.flush();
    const task = taskOf(room, [left, right]);
    const tries = [];
    for (let eventsMax = 0; eventsMax < 30; eventsMax += 1)
      tries.push((await loadAndResolve(database.db, task, { eventsMax })) !== undefined);
    const first = tries.indexOf(true);
    expect(first).to.be.within(5, 20);
    expect(tries.slice(first).every(Boolean)).to.equal(true);
    expect(tries.slice(0, first).some(Boolean)).to.equal(false);
  });
});
