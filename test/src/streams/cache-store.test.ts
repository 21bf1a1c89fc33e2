import { expect } from 'chai';
import { type CacheDefinition, defineCache, type ThreadCaches } from '../../../src/streams/cache.ts';
import { createThreadCaches } from '../../../src/streams/cache-store.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFigures, type Figures } from './figures.ts';
import { createNoteLog } from './stream-doubles.ts';

describe('caches of a thread', () => {
  let figures: Figures;
  let caches: ThreadCaches;
  /** What the database says, and how often it was asked. */
  let truth: Map<string, string>;
  let loads: string[];
  let gate: Promise<void> | null;
  let profiles: CacheDefinition<string, string>;
  let members: CacheDefinition<string, string>;

  const load = async (_db: unknown, key: string): Promise<string> => {
    loads.push(key);
    const value = truth.get(key) ?? 'none';
    await (gate ?? Promise.resolve());
    return value;
  };

  beforeEach(() => {
    figures = createFigures();
    caches = createThreadCaches({ db: createNoteLog().db, metrics: figures.metrics });
    truth = new Map([['@a:x', 'one']]);
    loads = [];
    gate = null;
    profiles = defineCache<string, string>({
      name: 'profiles',
      sizeMax: 3,
      load,
      reads: [],
      dependsOn: { profile: (fact) => [fact.userId], account: () => 'all' },
    });
    members = defineCache<string, string>({
      name: 'members',
      sizeMax: 100,
      load,
      reads: [],
      dependsOn: { membership: (fact) => [fact.userId], 'room-changed': (fact) => [fact.roomId] },
    });
  });

  it('loads once and then remembers', async () => {
    expect(await caches.get(profiles, '@a:x')).to.equal('one');
    expect(await caches.get(profiles, '@a:x')).to.equal('one');
    expect(loads).to.deep.equal(['@a:x']);
    expect(figures.counter('cache.profiles.hits')).to.equal(1);
    expect(figures.counter('cache.profiles.misses')).to.equal(1);
    expect(figures.gauge('cache.profiles.size')).to.equal(1);
  });

  it('tells who watches an entry that it may be untrue, in memory or not, until they end it', async () => {
    const told: string[] = [];
    const ends = ['@a:x', '@a:x', '@b:x'].map((key, index) =>
      caches.watch(profiles, key, () => {
        // What is dropped is dropped already.
        told.push(`${index} ${caches.peek(profiles, key) ?? 'gone'}`);
      }),
    );
    await caches.get(profiles, '@a:x');
    caches.applyFacts([{ fact: 'profile', userId: '@a:x' }]);
    expect(told.splice(0)).to.deep.equal(['0 gone', '1 gone']);
    caches.applyFacts([{ fact: 'profile', userId: '@c:x' }]);
    expect(told).to.deep.equal([]);
    ends[0]?.();
    caches.applyFacts([{ fact: 'account', userId: '@c:x' }]);
    expect(told.splice(0), 'all of them').to.deep.equal(['1 gone', '2 gone']);
    caches.clear();
    expect(told.splice(0)).to.deep.equal(['1 gone', '2 gone']);
    for (const end of ends) end();
    caches.clear();
    expect(told).to.deep.equal([]);
  });

  it('those who ask while it loads share one load', async () => {
    const values = await Promise.all([1, 2, 3].map(() => caches.get(profiles, '@a:x')));
    expect([values, loads]).to.deep.equal([['one', 'one', 'one'], ['@a:x']]);
  });

  it('a load that fails is told to its askers and tried again', async () => {
    let isBroken = true;
    const broken = defineCache<string, string>({
      ...profiles,
      name: 'broken',
      load: (db, key) => (isBroken ? Promise.reject(new Error('no')) : load(db, key)),
    });
    const failed = await caches.get(broken, '@a:x').catch((error: unknown) => String(error));
    isBroken = false;
    expect([failed, await caches.get(broken, '@a:x')]).to.deep.equal(['Error: no', 'one']);
  });

  it('keeps to its bound, the least recently used goes first', async () => {
    for (const key of ['1', '2', '3', '1', '4']) {
      // In this order.
      await caches.get(profiles, key);
    }
    expect(['1', '2', '3', '4'].filter((key) => caches.peek(profiles, key) !== undefined)).to.deep.equal([
      '1',
      '3',
      '4',
    ]);
  });

  it('counts entries by their size', async () => {
    const sized = defineCache<string, string>({
      ...profiles,
      name: 'sized',
      sizeMax: 5,
      size: (value) => value.length,
    });
    truth.set('@b:x', 'four');
    await caches.get(sized, '@a:x');
    await caches.get(sized, '@b:x');
    expect([caches.peek(sized, '@a:x'), caches.peek(sized, '@b:x')]).to.deep.equal([undefined, 'four']);
    expect(figures.gauge('cache.sized.size')).to.equal(4);
  });

  it('does not keep what the cache says is not to be kept', async () => {
    const picky = defineCache<string, string>({
      ...profiles,
      name: 'picky',
      keeps: (value) => value !== 'none',
    });
    expect(await caches.get(picky, '@new:x')).to.equal('none');
    truth.set('@new:x', 'here');
    expect(await caches.get(picky, '@new:x')).to.equal('here');
    expect(caches.peek(picky, '@new:x')).to.equal('here');
  });

  it('drops the keys that a fact names, and only those', async () => {
    await caches.get(profiles, '@a:x');
    await caches.get(profiles, '@b:x');
    caches.applyFacts([{ fact: 'profile', userId: '@a:x' }]);
    expect([caches.peek(profiles, '@a:x'), caches.peek(profiles, '@b:x')]).to.deep.equal([undefined, 'none']);
    expect(figures.counter('cache.profiles.invalidations')).to.equal(1);
    caches.applyFacts([{ fact: 'account', userId: '@z:x' }]);
    expect(caches.peek(profiles, '@b:x')).to.equal(undefined);
  });

  describe('6.5 a fill that began before an invalidation', () => {
    it('is given to who asked before, and not stored', async () => {
      const opened = Promise.withResolvers<void>();
      gate = opened.promise;
      const before = caches.get(profiles, '@a:x');
      truth.set('@a:x', 'two');
      caches.applyFacts([{ fact: 'profile', userId: '@a:x' }]);
      gate = null;
      const after = caches.get(profiles, '@a:x');
      expect(await after).to.equal('two');
      opened.resolve();
      expect(await before).to.equal('one');
      expect(caches.peek(profiles, '@a:x')).to.equal('two');
      expect(figures.counter('cache.profiles.not-stored')).to.equal(1);
    });

    for (const [name, drop] of [
      ['all keys', (each: ThreadCaches) => each.applyFacts([{ fact: 'account', userId: '@z:x' }])],
      ['everything', (each: ThreadCaches) => each.applyFacts([{ fact: 'everything' }])],
      ['a cleared thread', (each: ThreadCaches) => each.clear()],
    ] as const)
      it(`counts for an invalidation of ${name} too`, async () => {
        const opened = Promise.withResolvers<void>();
        gate = opened.promise;
        const before = caches.get(profiles, '@a:x');
        drop(caches);
        opened.resolve();
        expect(await before).to.equal('one');
        expect(caches.peek(profiles, '@a:x')).to.equal(undefined);
      });

    it('is stored when only another key was invalidated', async () => {
      const opened = Promise.withResolvers<void>();
      gate = opened.promise;
      const before = caches.get(profiles, '@a:x');
      caches.applyFacts([{ fact: 'profile', userId: '@b:x' }]);
      opened.resolve();
      await before;
      expect(caches.peek(profiles, '@a:x')).to.equal('one');
    });
  });

  it('6.6 the generation has moved when applyFacts returns', async () => {
    await caches.get(profiles, '@a:x');
    const before = caches.generation(profiles);
    caches.applyFacts([{ fact: 'profile', userId: '@a:x' }]);
    expect(caches.generation(profiles)).to.be.greaterThan(before);
  });

  it('7.4 facts of caches that are not here, and unknown facts, change nothing and throw nothing', async () => {
    await caches.get(profiles, '@a:x');
    caches.applyFacts([
      { fact: 'room-alias', alias: '#a:x' },
      { fact: 'membership', roomId: '!r', userId: '@a:x' },
      { fact: 'of the next version' } as never,
      { fact: 'profile', userId: '@nobody:x' },
    ]);
    expect(caches.peek(profiles, '@a:x')).to.equal('one');
    caches.applyFacts([{ fact: 'profile', userId: '@a:x' }]);
    expect(caches.peek(profiles, '@a:x')).to.equal(undefined);
  });

  it('7.2 a poke without members drops what depends on the room', async () => {
    await caches.get(members, '!r');
    await caches.get(members, '@a:x');
    caches.applyFacts([{ fact: 'room-changed', roomId: '!r', members: [] }]);
    expect([caches.peek(members, '!r'), caches.peek(members, '@a:x')]).to.deep.equal([undefined, 'one']);
  });

  it('7.9 a poke stands for the memberships that it names', async () => {
    await caches.get(members, '@a:x');
    caches.applyFacts([{ fact: 'room-changed', roomId: '!r', members: ['@b:x', '@a:x'] }]);
    expect(caches.peek(members, '@a:x')).to.equal(undefined);
  });

  it('7.6 facts twice and in any order leave the same caches', async () => {
    const facts = [
      { fact: 'room-changed', roomId: '!r', members: ['@a:x'] },
      { fact: 'profile', userId: '@a:x' },
      { fact: 'membership', roomId: '!r', userId: '@b:x' },
    ] as const;
    const left: unknown[] = [];
    for (const order of [facts, facts.toReversed(), [...facts, ...facts]]) {
      // Each order begins with full caches.
      for (const key of ['@a:x', '@b:x', '!r', '!s']) await caches.get(members, key);
      await caches.get(profiles, '@a:x');
      caches.applyFacts(order);
      left.push([
        ...['@a:x', '@b:x', '!r', '!s'].map((key) => caches.peek(members, key)),
        caches.peek(profiles, '@a:x'),
      ]);
    }
    expect(left).to.deep.equal(
      Array.from({ length: 3 }, () => [undefined, undefined, undefined, 'none', undefined]),
    );
  });

  it('two caches of one name are a mistake', async () => {
    await caches.get(profiles, '@a:x');
    expect(() => caches.get({ ...profiles }, '@a:x')).to.throw('two caches are called profiles');
  });

  it('holds no fill longer than it takes', async () => {
    const clock = createFakeClock();
    await Promise.allSettled(Array.from({ length: 50 }, (_, index) => caches.get(profiles, String(index))));
    await clock.settle();
    expect(figures.counter('cache.profiles.misses')).to.equal(50);
    expect(figures.gauge('cache.profiles.size')).to.equal(3);
  });

  describe('several entries at once', () => {
    let together: CacheDefinition<string, string>;
    let batches: (readonly string[])[];
    beforeEach(() => {
      batches = [];
      together = defineCache<string, string>({
        ...profiles,
        name: 'together',
        sizeMax: 10,
        async loadMany(_db, keys) {
          batches.push(keys);
          await (gate ?? Promise.resolve());
          return new Map(keys.map((key) => [key, truth.get(key) ?? 'none']));
        },
      });
    });

    it('are loaded together, but for those that are here or on their way', async () => {
      await caches.get(together, '@a:x');
      const open = caches.get(together, '@b:x');
      const all = await caches.getMany(together, ['@a:x', '@b:x', '@c:x', '@d:x', '@c:x']);
      expect(all).to.deep.equal(['one', 'none', 'none', 'none', 'none']);
      await open;
      expect(batches).to.deep.equal([['@c:x', '@d:x']]);
      expect(loads).to.deep.equal(['@a:x', '@b:x']);
      await caches.getMany(together, ['@c:x', '@d:x']);
      expect(batches).to.have.lengthOf(1);
    });

    it('are loaded one by one where the cache knows no other way, and a single one as ever', async () => {
      expect(await caches.getMany(members, ['@a:x', '@b:x'])).to.have.lengthOf(2);
      expect(await caches.getMany(together, ['@a:x'])).to.deep.equal(['one']);
      expect(await caches.getMany(together, [])).to.deep.equal([]);
      expect(batches).to.deep.equal([]);
    });

    it('6.5 are not stored when a fact comes meanwhile, each for itself', async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      const filling = caches.getMany(together, ['@a:x', '@b:x']);
      caches.applyFacts([{ fact: 'profile', userId: '@a:x' }]);
      gate = null;
      resolve();
      await filling;
      expect(caches.peek(together, '@a:x')).to.equal(undefined);
      expect(caches.peek(together, '@b:x')).to.equal('none');
    });
  });
});
