import { expect } from 'chai';
import { readSizeOfState } from '../../../../db/rooms/head-reader.ts';
import { LAYER_CHANGES_MAX } from '../../../../db/rooms/state-layer-reader.ts';
import { storeStateGroup } from '../../../../db/rooms/state-group-writer.ts';
import { seededRandom } from '../../../../src/kit/random.ts';
import { stateName } from '../../../../src/matrix/state-resolution/state-map.ts';
import { createThreadCaches } from '../../../../src/streams/cache-store.ts';
import {
  getGroupState,
  stateLayerCache,
  stateOfGroupCache,
} from '../../../../src/sync/caches/state-of-group.ts';
import {
  apply,
  eventIdOf,
  type NaiveState,
  nameOf,
  placeOf,
  purge,
  PURGE_QUERIES,
  readLayout,
  ROOM_NID,
  sorted,
  storeEvents,
  toState,
  writeSteps,
} from '../../../db/rooms/state-group-model.ts';
import { createTestDatabase, silentMetrics, type TestDatabase } from '../../../support/database.ts';

const SEED = 20_261_126;
const PLACES = 900;
const GROUPS = 1_200;

describe(`the state of a group in memory (seed ${SEED})`, function () {
  this.timeout(10_000);
  let database: TestDatabase;
  let states: Map<number, NaiveState>;
  beforeEach(async () => {
    database = await createTestDatabase({ queries: PURGE_QUERIES });
    await storeEvents(database, PLACES, 1);
    states = new Map();
    const random = seededRandom(SEED);
    const steps = [];
    for (let stateGroup = 1; stateGroup <= GROUPS; stateGroup += 1) {
      const changes = Array.from({ length: stateGroup === 1 ? PLACES : 1 }, (_, at) => {
        const index = stateGroup === 1 ? at : random.integer(PLACES);
        const eventId = stateGroup > 1 && random.integer(3) === 0 ? null : eventIdOf(index, 0);
        return { ...placeOf(index), eventId };
      });
      const parent = stateGroup === 1 ? null : stateGroup - 1;
      const write = { kind: 'new', stateGroup, parent, changes, isCheckpoint: false } as const;
      steps.push(...storeStateGroup(ROOM_NID, write));
      states.set(stateGroup, apply(states.get(stateGroup - 1) ?? new Map<string, string>(), write));
    }
    await writeSteps(database, steps);
  });
  afterEach(() => database.close());

  const openCaches = () => createThreadCaches({ db: database.db, metrics: silentMetrics });
  const expectState = async (caches: ReturnType<typeof openCaches>, stateGroup: number): Promise<void> => {
    const state = await getGroupState(caches, stateGroup);
    const expected = states.get(stateGroup) ?? new Map<string, string>();
    expect(sorted(toState([...state.values()])), `group ${stateGroup}`).to.deep.equal(sorted(expected));
    expect(state.size).to.equal(expected.size);
    for (const [name, entry] of state) expect(name).to.equal(stateName(entry.type, entry.stateKey));
    const place = placeOf(stateGroup % PLACES);
    expect(state.get(stateName(place.type, place.stateKey))?.eventId).to.equal(expected.get(nameOf(place)));
  };

  it('is right for every group, and shares whole states between neighbours', async () => {
    const caches = openCaches();
    for (let stateGroup = 1; stateGroup <= GROUPS; stateGroup += 7) await expectState(caches, stateGroup);
    let whole = 0;
    let changesMax = 0;
    for (let stateGroup = 1; stateGroup <= GROUPS; stateGroup += 1) {
      if (caches.peek(stateOfGroupCache, String(stateGroup)) !== undefined) whole += 1;
      changesMax = Math.max(changesMax, caches.peek(stateLayerCache, String(stateGroup))?.changes.size ?? 0);
    }
    expect(whole).to.equal(Math.ceil(GROUPS / LAYER_CHANGES_MAX));
    expect(changesMax).to.be.within(100, LAYER_CHANGES_MAX);
  });

  it('counts bytes: a whole state those of its texts, a layer those of its changes', async () => {
    const caches = openCaches();
    await getGroupState(caches, 400);
    const layer = caches.peek(stateLayerCache, '400');
    const shared = caches.peek(stateOfGroupCache, String(layer?.base));
    const bytes = stateOfGroupCache.size?.(shared, '') ?? 0;
    const texts = [...(shared ?? [])].reduce(
      (sum, [name, { eventId }]) => sum + 2 * name.length + eventId.length,
      0,
    );
    expect(bytes).to.be.within(texts + 100 * PLACES, texts + 200 * PLACES);
    const layerBytes = (layer && stateLayerCache.size?.(layer, '')) ?? 0;
    expect(layerBytes).to.be.within(1_000, bytes / 2);
  });

  it('is right when a purge has deleted the whole state under it', async () => {
    const caches = openCaches();
    const layer = await caches.get(stateLayerCache, '400');
    expect(layer.base).to.equal(1);
    const chain: number[] = [];
    for (let group: number | null = 400; group !== null;) {
      if (group !== 400) chain.push(group);
      group = (await database.db.get(readLayout, { stateGroup: group })).parent;
    }
    await purge(database, 400, chain);
    expect(await database.db.find(readSizeOfState, { stateGroup: 1 })).to.equal(undefined);
    await expectState(caches, 400);
    expect(caches.peek(stateOfGroupCache, '1')).to.equal(undefined);
  });

  it('is empty for a group that does not exist, and that is forgotten when it does', async () => {
    const caches = openCaches();
    const stateGroup = GROUPS + 1;
    expect((await getGroupState(caches, stateGroup)).size).to.equal(0);
    const changes = [{ ...placeOf(1), eventId: eventIdOf(1, 0) }];
    const write = { kind: 'new', stateGroup, parent: GROUPS, changes, isCheckpoint: false } as const;
    await writeSteps(database, storeStateGroup(ROOM_NID, write));
    states.set(stateGroup, apply(states.get(GROUPS) ?? new Map<string, string>(), write));
    await expectState(caches, stateGroup);
  });
});
