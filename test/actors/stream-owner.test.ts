import { expect } from 'chai';
import type { TroupeContext } from '../../actors/environment.ts';
import { ownDurableStream } from '../../actors/stream-owner.ts';
import { accountDataStream } from '../../src/streams/account-data-stream.ts';
import { silentMetrics } from '../support/database.ts';
import { createFakeClock } from '../support/fake-clock.ts';

describe('owning a stream', () => {
  it('leaves no timer behind when the incarnation ends while or after its start waits for the committer', async () => {
    for (const when of ['while', 'after']) {
      const clock = createFakeClock();
      const life = new AbortController();
      const start = Promise.withResolvers<{ readonly position: number }>();
      // What owning a stream takes of a context.
      const context = {
        name: 'account-data',
        clock,
        metrics: silentMetrics,
        ended: life.signal,
        env: { caches: null },
        ref: () => ({ ask: () => start.promise }),
      } as unknown as TroupeContext;
      const owned = ownDurableStream(context, accountDataStream);
      if (when === 'while') life.abort();
      start.resolve({ position: 7 });
      // One case after the other.
      expect((await owned).owner.currentToken()).to.equal(7);
      expect(clock.pendingTimers).to.equal(when === 'while' ? 0 : 1);
      life.abort();
      expect(clock.pendingTimers).to.equal(0);
    }
  });
});
