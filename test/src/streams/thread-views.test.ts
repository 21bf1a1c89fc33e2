import { expect } from 'chai';
import { defineCache, type ThreadCaches } from '../../../src/streams/cache.ts';
import type { SyncToken } from '../../../src/streams/token.ts';
import { READ_YOUR_WRITES_WAIT_MS } from '../../../src/streams/view.ts';
import { moodStream, noteRow } from './stream-doubles.ts';
import { createViewHarness, type HarnessOptions, type ViewHarness, wokenBy } from './view-harness.ts';

const POLL_MS = 30_000;

describe('views of a thread', () => {
  let harness: ViewHarness;
  const open = (options: HarnessOptions = {}): ViewHarness => {
    harness?.views.close();
    harness = createViewHarness(options);
    return harness;
  };
  beforeEach(() => open());
  afterEach(() => harness.views.close());

  describe('connecting to a durable stream', () => {
    it('3.1 begins where the database is: rows from before are not sent, not fetched, and in the view', async () => {
      const { log, views } = harness;
      log.commit(...Array.from({ length: 10 }, (_, index) => `!${index}`));
      await views.load();
      harness.position(10);
      expect([harness.token(), harness.state()]).to.deep.equal([10, 'live']);
      expect(log.reads).to.deep.equal([]);
    });

    it('3.1 what was committed between its start and the POSITION is fetched', async () => {
      const { log, views } = harness;
      await views.load();
      log.commit('!a', '!b');
      const woken = await wokenBy(harness, ['!a', '!b', '!c'], () => harness.position(2));
      expect(harness.token()).to.equal(2);
      expect(woken).to.have.members(['!a', '!b']);
    });

    it('3.2 fetches 250 rows in three pages, every row once, ascending', async () => {
      const { log } = harness;
      harness.position(0);
      harness.views.disconnect('note-keeper');
      log.commit(...Array.from({ length: 250 }, (_, index) => `!${index}`));
      harness.position(250);
      expect(harness.state()).to.equal('catching-up');
      await harness.clock.settle();
      expect(log.reads).to.deep.equal([
        { from: 0, to: 250, rows: 100 },
        { from: 100, to: 250, rows: 100 },
        { from: 200, to: 250, rows: 50 },
      ]);
      expect([harness.token(), harness.state()]).to.deep.equal([250, 'live']);
      expect(harness.figures.counter('stream.notes.rows-applied')).to.equal(250);
    });

    it('2.6 fetches nothing when nothing was missed', async () => {
      const { log, views, asked } = harness;
      log.commit('!a');
      harness.position(0);
      harness.rows(0, 1);
      harness.moodPosition(5, 0);
      harness.moodRows(5, 0, [{ position: 1, row: { roomId: '!a', mood: 'glad' } }]);
      views.receivePosition({ stream: 'parcels', owner: 'post-office', epoch: 9, prev: 0, position: 0 });
      views.receivePosition({ stream: 'parcels', owner: 'post-office', epoch: 9, prev: 0, position: 4 });
      for (const owner of ['note-keeper', 'mood-keeper', 'post-office']) views.disconnect(owner);
      harness.position(1);
      harness.moodPosition(5, 1);
      views.receivePosition({ stream: 'parcels', owner: 'post-office', epoch: 9, prev: 4, position: 4 });
      await harness.clock.settle();
      expect([log.reads, asked]).to.deep.equal([[], []]);
      expect(['notes', 'moods', 'parcels'].map((stream) => harness.state(stream))).to.deep.equal([
        'live',
        'live',
        'live',
      ]);
    });

    it('3.4 rows before POSITION are dropped, and recovered by it', async () => {
      const { log } = harness;
      log.commit('!a', '!b');
      harness.rows(0, 1);
      expect([harness.token(), harness.drops('before-position')]).to.deep.equal([0, 1]);
      const woken = await wokenBy(harness, ['!a', '!b'], () => harness.position(2));
      expect(harness.token()).to.equal(2);
      expect(woken).to.have.members(['!a', '!b']);
    });

    it('3.5 a page that is on its way when the connection drops is discarded and fetched again', async () => {
      const { log } = harness;
      const gate = Promise.withResolvers<void>();
      log.gate = gate.promise;
      log.commit('!a', '!b');
      harness.position(2);
      harness.views.disconnect('note-keeper');
      log.gate = null;
      gate.resolve();
      await harness.clock.settle();
      expect([harness.token(), harness.state()]).to.deep.equal([0, 'unconnected']);
      const woken = await wokenBy(harness, ['!a', '!b'], () => harness.position(2));
      expect([harness.token(), woken.toSorted()]).to.deep.equal([2, ['!a', '!b']]);
    });

    it('3.5 several rows of one position stand on one page, however many', async () => {
      const { log } = harness;
      for (let index = 0; index < 450; index += 1) log.rows.push({ position: 1, row: noteRow(`!${index}`) });
      log.rows.push({ position: 2, row: noteRow('!x') });
      harness.position(2);
      await harness.clock.settle();
      expect(log.reads.map(({ rows }) => rows)).to.deep.equal([450, 1]);
      expect(harness.token()).to.equal(2);
    });
  });

  it('6.5 what a missed row makes untrue is dropped before the token says so', async () => {
    const profiles = defineCache<string, number>({
      name: 'profiles-for-test',
      sizeMax: 10,
      load: () => Promise.resolve(1),
      reads: [],
      dependsOn: { profile: (fact) => [fact.userId] },
    });
    const { log, caches, views } = harness;
    await caches.get(profiles, '!a');
    await caches.get(profiles, '!z');
    harness.position(0);
    log.commit('!a');
    const seen = views.reached('notes', 1).then(() => caches.peek(profiles, '!a'));
    harness.position(1);
    expect(await seen).to.equal(undefined);
    expect(caches.peek(profiles, '!z')).to.equal(1);
  });

  describe('rows during catch-up', () => {
    it('3.3 are handled exactly once, and none is lost', async () => {
      const { log, figures } = harness;
      const gate = Promise.withResolvers<void>();
      log.commit('!a', '!b', '!c');
      log.gate = gate.promise;
      harness.position(3);
      log.commit('!d');
      harness.rows(3, 4);
      expect(harness.token()).to.equal(0);
      const woken = await wokenBy(harness, ['!a', '!d', '!e'], async () => {
        log.gate = null;
        gate.resolve();
        await harness.clock.settle();
        log.commit('!e');
        harness.rows(4, 5);
      });
      expect(woken.toSorted()).to.deep.equal(['!a', '!d', '!e']);
      expect([harness.token(), harness.state()]).to.deep.equal([5, 'live']);
      expect(figures.counter('stream.notes.rows-applied')).to.equal(5);
      expect(harness.drops('during-catch-up')).to.equal(1);
    });

    it('3.3 a gap in what is announced is filled from the database', async () => {
      const { log } = harness;
      harness.position(0);
      log.commit('!a', '!b', '!c');
      harness.rows(0, 1);
      const woken = await wokenBy(harness, ['!b', '!c'], () => harness.rows(2, 3));
      expect([harness.token(), woken.toSorted(), harness.drops('gap')]).to.deep.equal([3, ['!b', '!c'], 1]);
    });

    it('3.3 a message that overlaps what is known applies only what is new', () => {
      const { log, figures } = harness;
      harness.position(0);
      log.commit('!a', '!b', '!c');
      harness.rows(0, 2);
      harness.rows(1, 3);
      expect([harness.token(), figures.counter('stream.notes.rows-applied')]).to.deep.equal([3, 3]);
      expect(log.reads).to.deep.equal([]);
    });
  });

  describe('3.7 POSITION(prev, new)', () => {
    beforeEach(() => {
      harness.log.commit('!a', '!b', '!c', '!d', '!e');
      harness.position(0);
      harness.rows(0, 3);
    });

    it('current < prev: fetches', async () => {
      harness.position(4, 5);
      expect(harness.state()).to.equal('catching-up');
      await harness.clock.settle();
      expect(harness.log.reads).to.deep.equal([{ from: 3, to: 5, rows: 2 }]);
      expect(harness.token()).to.equal(5);
    });

    it('prev <= current <= new: advances without fetching', () => {
      harness.position(2, 5);
      expect([harness.token(), harness.state()]).to.deep.equal([5, 'live']);
      expect(harness.log.reads).to.deep.equal([]);
    });

    it('current > new: nothing, the token stays', () => {
      harness.position(1);
      harness.rows(1, 2);
      expect([harness.token(), harness.state()]).to.deep.equal([3, 'live']);
      expect(harness.drops('duplicate')).to.equal(1);
    });

    it('another epoch of an in-memory stream: begins anew', async () => {
      harness.moodPosition(5, 0);
      harness.moodRows(5, 0, [{ position: 9, row: { roomId: '!a', mood: 'glad' } }]);
      harness.moodPosition(6, 2);
      await harness.clock.settle();
      expect([harness.views.epoch('moods'), harness.views.currentToken('moods')]).to.deep.equal([6, 2]);
      expect(harness.views.memoryRows(moodStream, 0)).to.deep.equal([]);
    });

    it('another epoch of a durable stream does not exist', () => {
      harness.views.receivePosition({
        stream: 'notes',
        owner: 'note-keeper',
        epoch: 3,
        prev: 9,
        position: 9,
      });
      expect([harness.token(), harness.state(), harness.drops('other-epoch')]).to.deep.equal([3, 'live', 1]);
    });
  });

  it('2.9 rows of an own stream, and of who does not own it, are rejected', () => {
    const { views } = open({ subscriber: 'note-keeper' });
    harness.position(0, 5);
    expect([harness.token(), harness.drops('own-rows')]).to.deep.equal([0, 1]);
    views.receiveRows({
      stream: 'moods',
      owner: 'somebody',
      epoch: 0,
      prev: 0,
      position: 1,
      rows: [],
      invalidations: [],
    });
    expect(harness.drops('other-owner', 'moods')).to.equal(1);
  });

  it('a message of an unknown stream is counted and ignored', () => {
    harness.views.receivePosition({ stream: 'x', owner: 'x', epoch: 0, prev: 0, position: 1 });
    expect(harness.figures.counter('stream.unknown.drops')).to.equal(1);
  });

  describe('7.7 rows that are gone', () => {
    it('clear every cache, once, and the stream goes on', async () => {
      let clears = 0;
      const { log, views } = open({
        wrapCaches: (caches): ThreadCaches => ({
          ...caches,
          clear() {
            clears += 1;
            caches.clear();
          },
        }),
      });
      log.goneBefore = 7;
      harness.position(0);
      harness.position(7);
      await harness.clock.settle();
      expect([clears, harness.token(), harness.state()]).to.deep.equal([1, 7, 'live']);
      expect(views.mayHaveChanged('notes', 'room:!a', 6)).to.equal(true);
      expect(views.mayHaveChanged('notes', 'room:!a', 7)).to.equal(false);
    });
  });

  describe('1.6 read your writes', () => {
    it('resolves at once for what the view has, otherwise when it has it', async () => {
      const { log, views } = harness;
      harness.position(0);
      log.commit('!a', '!b');
      let isReached: boolean | null = null;
      void views.reached('notes', 2).then((reached) => (isReached = reached));
      harness.rows(0, 1);
      await harness.clock.settle();
      expect(isReached).to.equal(null);
      harness.rows(1, 2);
      expect(await views.reached('notes', 2)).to.equal(true);
      expect(isReached).to.equal(true);
      expect(harness.clock.pendingTimers).to.equal(0);
    });

    it('is released by a POSITION without rows (3.11) and by catch-up', async () => {
      const { log, views } = harness;
      harness.position(0);
      const first = views.reached('notes', 1);
      harness.position(0, 1);
      expect(await first).to.equal(true);
      const second = views.reached('notes', 3);
      log.mark = 1;
      log.commit('!b', '!c');
      harness.position(3);
      expect(await second).to.equal(true);
    });

    it('gives up after its time, and counts that', async () => {
      harness.position(0);
      const waiting = harness.views.reached('notes', 1);
      expect(harness.figures.gauge('stream.notes.waiters')).to.equal(1);
      await harness.clock.advance(READ_YOUR_WRITES_WAIT_MS);
      expect(await waiting).to.equal(false);
      expect(harness.figures.counter('stream.notes.waiters-timed-out')).to.equal(1);
      expect(harness.figures.gauge('stream.notes.waiters')).to.equal(0);
    });

    it('of an in-memory stream waits for the epoch too', async () => {
      harness.moodPosition(5, 0);
      harness.moodRows(5, 0, [{ position: 9, row: { roomId: '!a', mood: 'glad' } }]);
      harness.answer = () =>
        Promise.resolve({ epoch: 6, rows: [{ position: 1, row: { roomId: '!b', mood: 'sad' } }], to: 1 });
      const reached = harness.views.reached('moods', 1, 6);
      harness.moodPosition(6, 1);
      expect(await reached).to.equal(true);
      expect(harness.views.epoch('moods')).to.equal(6);
    });

    it('lets everybody go when the thread stops', async () => {
      const waiting = harness.views.reached('notes', 1);
      const poll = harness.views.park(['room:!a'], harness.views.now(), POLL_MS);
      harness.views.close();
      expect([await waiting, await poll.outcome]).to.deep.equal([false, 'cancelled']);
      expect(harness.clock.pendingTimers).to.equal(0);
    });
  });

  describe('parking', () => {
    it('sees what was applied between the look and the park', async () => {
      const { log, views } = harness;
      harness.position(0);
      const looked: SyncToken = views.now();
      log.commit('!a');
      harness.rows(0, 1);
      expect(await views.park(['room:!a'], looked, POLL_MS).outcome).to.equal('woken');
      const other = views.park(['room:!b'], looked, POLL_MS);
      other.cancel();
      expect(await other.outcome).to.equal('cancelled');
    });

    it('parks again when it has looked up to now', async () => {
      const { log, views } = harness;
      harness.position(0);
      log.commit('!a');
      harness.rows(0, 1);
      const poll = views.park(['room:!a'], views.now(), 1000);
      await harness.clock.advance(1000);
      expect(await poll.outcome).to.equal('timed-out');
    });

    it('1.8 positions of history wake nobody and move nothing', async () => {
      harness.position(0);
      const woken = await wokenBy(harness, ['!a'], () =>
        harness.views.receiveRows({
          stream: 'notes',
          owner: 'note-keeper',
          epoch: 0,
          prev: 0,
          position: -4,
          rows: [{ position: -4, row: noteRow('!a') }],
          invalidations: [],
        }),
      );
      expect([woken, harness.token()]).to.deep.equal([[], 0]);
    });
  });

  describe('what may have changed', () => {
    it('is known by position of each row, not of its message', () => {
      const { log, views } = harness;
      harness.position(0);
      log.commit('!a', '!b', '!c');
      harness.rows(0, 3);
      expect(views.mayHaveChanged('notes', 'room:!a', 0)).to.equal(true);
      expect(views.mayHaveChanged('notes', 'room:!a', 1)).to.equal(false);
      expect(views.mayHaveChanged('notes', 'room:!c', 2)).to.equal(true);
    });

    it('counts what was before the thread began as changed', async () => {
      harness.log.commit('!a', '!b');
      await harness.views.load();
      expect(harness.views.mayHaveChanged('notes', 'room:!z', 1)).to.equal(true);
      expect(harness.views.mayHaveChanged('notes', 'room:!z', 2)).to.equal(false);
    });
  });
});
