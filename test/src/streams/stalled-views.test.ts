import { expect } from 'chai';
import { type ThreadCaches } from '../../../src/streams/cache.ts';
import { STALL_BACKOFF } from '../../../src/streams/follower.ts';
import type { Stream } from '../../../src/streams/stream.ts';
import { moodStream, type NoteLog } from './stream-doubles.ts';
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

  describe('3.6 an update that throws', () => {
    it('stops only its stream, is tried again, shows, and loses nothing', async () => {
      const { log, figures } = harness;
      log.commit('!a', '!b');
      log.failure = new Error('disk on fire');
      harness.position(2);
      await harness.clock.settle();
      expect([harness.token(), harness.state()]).to.deep.equal([0, 'stalled']);
      expect(figures.read().texts.get('stream.notes.last-error')).to.equal('Error: disk on fire');
      harness.moodPosition(5, 0);
      harness.moodRows(5, 0, [{ position: 1, row: { roomId: '!a', mood: 'glad' } }]);
      expect(harness.views.currentToken('moods')).to.equal(1);
      log.commit('!c');
      harness.rows(2, 3);
      await harness.clock.advance(STALL_BACKOFF.initialMs);
      expect([harness.state(), figures.counter('stream.notes.failures')]).to.deep.equal(['stalled', 2]);
      log.failure = null;
      const woken = await wokenBy(harness, ['!a', '!b', '!c'], () =>
        harness.clock.advance(STALL_BACKOFF.initialMs * STALL_BACKOFF.factor),
      );
      expect([harness.token(), harness.state(), woken]).to.deep.equal([3, 'live', ['!a', '!b', '!c']]);
    });

    it('waits longer each time, never longer than its bound', async () => {
      harness.log.failure = new Error('no');
      harness.position(1);
      await harness.clock.advance(10 * STALL_BACKOFF.maxMs);
      const failures = harness.figures.counter('stream.notes.failures');
      expect(failures).to.be.within(12, 20);
      expect(harness.clock.pendingTimers).to.equal(1);
    });

    it('a row that cannot be applied leaves token, caches and polls as they were', async () => {
      const poisonous = (log: NoteLog): readonly Stream[] => [
        {
          ...log.stream,
          wakes() {
            throw new Error('poison');
          },
        },
        moodStream,
      ];
      const seen: number[] = [];
      const { log } = open({
        streams: poisonous,
        wrapCaches: (caches): ThreadCaches => ({
          ...caches,
          applyFacts: (facts) => void (facts.length > 0 && seen.push(facts.length)),
        }),
      });
      log.commit('!a');
      harness.position(0);
      harness.rows(0, 1);
      expect([harness.token(), harness.state(), seen]).to.deep.equal([0, 'stalled', []]);
      await harness.clock.advance(STALL_BACKOFF.initialMs);
      expect([harness.token(), harness.state()]).to.deep.equal([0, 'stalled']);
    });

    it('a page that does not lead on is an error, not an endless loop', async () => {
      harness.moodPosition(5, 0);
      harness.answer = ({ epoch, from }) => Promise.resolve({ epoch, rows: [], to: from });
      harness.moodPosition(5, 4);
      await harness.clock.settle();
      expect([harness.state('moods'), harness.asked.length]).to.deep.equal(['stalled', 1]);
    });

    it('3.3 a load that fails moves nothing, not by what it is answered later either', async () => {
      open({ streams: (log) => [log.stream, { ...log.stream, name: 'more', letter: 'm' }] });
      const late = Promise.withResolvers<{ readonly forward: number }>();
      const answers = [late.promise, Promise.reject(new Error('no disk'))];
      Object.assign(harness.log.db, { get: () => answers.shift() ?? Promise.resolve({ forward: 0 }) });
      const failed = await harness.views.load().then(
        () => null,
        (error: unknown) => String(error),
      );
      expect(failed).to.equal('Error: no disk');
      await harness.views.load();
      harness.position(0);
      late.resolve({ forward: 3 });
      await harness.clock.settle();
      expect([harness.token(), harness.state()]).to.deep.equal([0, 'live']);
    });
  });
});
