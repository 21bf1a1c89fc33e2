import { expect } from 'chai';
import { moodStream } from './stream-doubles.ts';
import { createViewHarness, type HarnessOptions, type ViewHarness, wokenBy } from './view-harness.ts';

describe('views of a thread', () => {
  let harness: ViewHarness;
  const open = (options: HarnessOptions = {}): ViewHarness => {
    harness?.views.close();
    harness = createViewHarness(options);
    return harness;
  };
  beforeEach(() => open());
  afterEach(() => harness.views.close());

  describe('in-memory streams', () => {
    const row = (position: number, roomId: string, mood = 'glad') => ({ position, row: { roomId, mood } });
    const rooms = (): string[] =>
      harness.views.memoryRows(moodStream, 0).map(({ row: { roomId } }) => roomId);

    it('keep the latest row of each key, by position', () => {
      harness.moodPosition(5, 0);
      harness.moodRows(5, 0, [row(1, '!a'), row(2, '!b')]);
      harness.moodRows(5, 2, [row(3, '!a', 'sad')]);
      expect(harness.views.memoryRows(moodStream, 0)).to.deep.equal([row(2, '!b'), row(3, '!a', 'sad')]);
      expect(harness.views.memoryRows(moodStream, 2)).to.deep.equal([row(3, '!a', 'sad')]);
      expect(harness.views.memoryRows(moodStream, 3)).to.deep.equal([]);
    });

    it('2.3 after a restart the follower equals the owner, even when it emitted more than before', async () => {
      harness.moodPosition(5, 0);
      harness.moodRows(5, 0, [row(1, '!old'), row(2, '!both')]);
      harness.answer = () =>
        Promise.resolve({ epoch: 6, rows: [row(4, '!both', 'sad'), row(7, '!new')], to: 7 });
      const woken = await wokenBy(harness, ['!old', '!new', '!neither'], () => harness.moodPosition(6, 7));
      expect(harness.asked.map(({ epoch, from, to }) => [epoch, from, to])).to.deep.equal([[6, 0, 7]]);
      expect(rooms()).to.deep.equal(['!both', '!new']);
      expect(harness.views.now().positions['moods']).to.deep.equal({ epoch: 6, position: 7 });
      expect(woken.toSorted()).to.deep.equal(['!new', '!old']);
      expect(harness.views.forgottenRows(moodStream).map(({ roomId }) => roomId)).to.deep.equal([
        '!old',
        '!both',
      ]);
    });

    it('2.3 what is announced while the new epoch is fetched is not lost', async () => {
      harness.moodPosition(5, 0);
      harness.moodRows(5, 0, [row(9, '!old')]);
      const gate = Promise.withResolvers<void>();
      const held = [row(1, '!a'), row(2, '!b')];
      harness.answer = async ({ from, to }) => {
        await gate.promise;
        return { epoch: 6, rows: held.filter(({ position }) => position > from && position <= to), to };
      };
      harness.moodPosition(6, 1);
      harness.moodRows(6, 1, [row(2, '!b')]);
      gate.resolve();
      await harness.clock.settle();
      expect([rooms(), harness.views.currentToken('moods')]).to.deep.equal([['!a', '!b'], 2]);
    });

    it('2.3 a straggler of an earlier life changes nothing', async () => {
      harness.answer = () => Promise.resolve({ epoch: 6, rows: [row(1, '!a')], to: 1 });
      harness.moodPosition(6, 0);
      harness.moodRows(6, 0, [row(1, '!a')]);
      harness.moodPosition(5, 40);
      await harness.clock.settle();
      expect([harness.views.epoch('moods'), harness.views.currentToken('moods'), rooms()]).to.deep.equal([
        6,
        1,
        ['!a'],
      ]);
      expect(harness.state('moods')).to.equal('live');
      harness.moodRows(6, 1, [row(2, '!b')]);
      expect(rooms()).to.deep.equal(['!a', '!b']);
    });

    it('2.8 rows at or below the token are dropped', () => {
      harness.moodPosition(5, 0);
      harness.moodRows(5, 0, [row(3, '!a')]);
      harness.moodRows(5, 0, [row(2, '!b')]);
      harness.moodRows(5, 0, [row(3, '!c')]);
      expect([rooms(), harness.drops('duplicate', 'moods')]).to.deep.equal([['!a'], 2]);
    });

    it('2.8 rows of a new epoch without its POSITION are not applied', () => {
      harness.moodPosition(5, 0);
      harness.moodRows(5, 0, [row(3, '!a')]);
      harness.moodRows(6, 0, [row(1, '!b')]);
      harness.moodRows(6, 1, [row(9, '!c')]);
      expect([rooms(), harness.drops('other-epoch', 'moods')]).to.deep.equal([['!a'], 2]);
      expect(harness.views.currentToken('moods')).to.equal(3);
    });

    it('2.5 a view that joins late fetches what lives, in one page', async () => {
      harness.answer = ({ to }) => Promise.resolve({ epoch: 5, rows: [row(to, '!a')], to });
      harness.moodPosition(5, 5_000_000);
      await harness.clock.settle();
      expect([harness.asked.length, harness.views.currentToken('moods')]).to.deep.equal([1, 5_000_000]);
    });

    it('1.6 a reply of a new epoch is not taken for seen because the old one had gone as far', async () => {
      harness.moodPosition(5, 0);
      let isReached: boolean | null = null;
      void harness.views.reached('moods', 1, 6).then((reached) => (isReached = reached));
      harness.moodRows(5, 0, [row(1, '!a'), row(2, '!b')]);
      await harness.clock.settle();
      expect([isReached, harness.views.currentToken('moods')]).to.deep.equal([null, 2]);
      harness.answer = () => Promise.resolve({ epoch: 6, rows: [row(1, '!a')], to: 1 });
      harness.moodPosition(6, 1);
      await harness.clock.settle();
      expect(isReached).to.equal(true);
    });

    it('1.6 a reply that is answered with the beginning of a new epoch is seen as soon as the epoch is', async () => {
      const isReached: (boolean | null)[] = [null, null];
      const wait = (at: number, epoch: number): void =>
        void harness.views.reached('moods', 0, epoch).then((reached) => (isReached[at] = reached));
      wait(0, 5);
      harness.moodPosition(5, 0);
      await harness.clock.settle();
      expect(isReached[0]).to.equal(true);
      harness.moodRows(5, 0, [row(1, '!a')]);
      wait(1, 6);
      harness.answer = () => Promise.resolve({ epoch: 6, rows: [], to: 0 });
      harness.moodPosition(6, 0);
      await harness.clock.settle();
      expect(isReached[1]).to.equal(true);
    });
  });
});
