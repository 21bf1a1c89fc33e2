import { expect } from 'chai';
import { defineCache, type ThreadCaches } from '../../../src/streams/cache.ts';
import { APPLY_ORDER, type ApplyStep } from '../../../src/streams/stream-view.ts';
import { createViewHarness, type HarnessOptions, type ViewHarness } from './view-harness.ts';

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

  describe('the order of one batch', () => {
    const roomCache = defineCache<string, number>({
      name: 'room-test',
      sizeMax: 100,
      load: () => Promise.resolve(1),
      reads: [],
      dependsOn: { profile: (fact) => [fact.userId] },
    });

    /** What was true at the moment of each step, in the order in which the steps happened. */
    async function trace(applyOrder: readonly ApplyStep[]): Promise<string[]> {
      const steps: string[] = [];
      const { log, views, caches } = open({
        applyOrder,
        wrapNotifier: (notifier) => ({
          ...notifier,
          wake(keys) {
            steps.push(`wake at ${harness.token()}`);
            notifier.wake(keys);
          },
        }),
        wrapCaches: (made): ThreadCaches => ({
          ...made,
          applyFacts(facts) {
            made.applyFacts(facts);
            if (facts.length > 0) steps.push(`invalidate at ${harness.token()}`);
          },
        }),
      });
      await caches.get(roomCache, '!a');
      harness.position(0);
      const before = caches.generation(roomCache);
      const state = (): string =>
        `at ${views.currentToken('notes')}${caches.generation(roomCache) > before ? ', invalidated' : ''}`;
      const poll = views.park(['room:!a'], views.now(), POLL_MS);
      const noted = [
        poll.outcome.then(() => steps.push(`woken ${state()}`)),
        views.reached('notes', 1).then(() => steps.push(`released ${state()}`)),
      ];
      log.commit('!a');
      harness.rows(0, 1);
      steps.push(`applied ${state()}`);
      await Promise.all(noted);
      return steps;
    }
    const right = [
      'invalidate at 0',
      'wake at 1',
      'applied at 1, invalidated',
      'woken at 1, invalidated',
      'released at 1, invalidated',
    ];

    it('6.6 invalidates, advances, wakes, releases, in one synchronous step', async () => {
      expect(await trace(APPLY_ORDER)).to.deep.equal(right);
    });

    for (let first = 0; first < APPLY_ORDER.length - 1; first += 1) {
      const swapped = [...APPLY_ORDER];
      [swapped[first], swapped[first + 1]] = [swapped[first + 1] ?? 'wake', swapped[first] ?? 'wake'];
      it(`6.6 swapping them (${swapped.join(', ')}) is seen`, async () => {
        let seen: unknown;
        try {
          seen = await Promise.race([
            trace(swapped),
            harness.clock.settle().then(() => 'nobody was released'),
          ]);
        } catch (error) {
          seen = error;
        }
        expect(seen).to.not.deep.equal(right);
      });
    }

    it('6.2 a join among messages, in any order, is invalidated before any of the batch is seen', async () => {
      for (const rooms of [
        ['!join', '!m', '!m'],
        ['!m', '!m', '!join'],
      ]) {
        const { log, caches, views } = open();
        // Each order is a life of its own.
        await caches.get(roomCache, '!join');
        harness.position(0);
        log.commit(...rooms);
        const stale = views
          .park(['room:!m'], views.now(), POLL_MS)
          .outcome.then(() => caches.peek(roomCache, '!join'));
        harness.rows(0, 3);
        expect(await stale).to.equal(undefined);
        expect(views.mayHaveChanged('notes', 'room:!join', rooms.indexOf('!join'))).to.equal(true);
        expect(views.mayHaveChanged('notes', 'room:!join', rooms.indexOf('!join') + 1)).to.equal(false);
      }
    });
  });
});
