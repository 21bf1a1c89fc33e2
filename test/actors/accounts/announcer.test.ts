import { expect } from 'chai';
import { createAnnouncer, PUBLISH_RETRY_MS } from '../../../actors/accounts/announcer.ts';
import type { TroupeContext } from '../../../actors/environment.ts';
import { AskFailed, type AskFailureReason } from '../../../actors/kit/ref.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import type { Fact } from '../../../src/streams/fact.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const factOf = (tokenHash: string): Fact => ({ fact: 'access-token', tokenHash });

describe('announcements of accounts', () => {
  /** A context whose neighbours fail as the test says, and the asks that they got. */
  function setUp(failures: AskFailureReason[]) {
    const clock = createFakeClock();
    const ended = new AbortController();
    const asks: unknown[] = [];
    const ref = (name: string) => ({
      ask(message: string, input: unknown): Promise<unknown> {
        asks.push(input);
        const reason = failures.shift();
        if (reason !== undefined) return Promise.reject(new AskFailed(reason, name, message));
        return Promise.resolve({ position: 5, rooms: 1 });
      },
    });
    const crash = (error: unknown): never => {
      throw error;
    };
    const context = { clock, log: silentLogger, ref, ended: ended.signal, crash } as unknown as TroupeContext;
    const belongings = { forget: () => Promise.resolve([]), resume: () => undefined };
    return { announcer: createAnnouncer(context, belongings), asks, clock, ended };
  }

  for (const reason of ['mailbox-full', 'timed-out', 'stopped'] as const) {
    it(`publishes again what the caches actor did not take: ${reason}`, async () => {
      const { announcer, asks, clock } = setUp([reason, reason, reason]);
      expect(await announcer.publish([factOf('a')])).to.deep.equal([]);
      expect(await announcer.publish([factOf('b')])).to.deep.equal([]);
      await clock.advance(PUBLISH_RETRY_MS);
      expect(asks.slice(2), 'one try, with all that waits').to.deep.equal([
        { facts: [factOf('a'), factOf('b')] },
      ]);
      await clock.advance(PUBLISH_RETRY_MS);
      expect(asks.slice(3)).to.deep.equal([{ facts: [factOf('a'), factOf('b')] }]);
      await clock.advance(PUBLISH_RETRY_MS);
      expect(asks, 'it was taken').to.have.length(4);
    });
  }

  it('does not go on after its actor has ended', async () => {
    const { announcer, asks, clock, ended } = setUp(['mailbox-full']);
    await announcer.publish([factOf('a')]);
    ended.abort();
    await clock.advance(PUBLISH_RETRY_MS);
    expect(asks).to.have.length(1);
  });

  it('does not fail what is committed when others do not answer', async () => {
    const { announcer } = setUp(['timed-out', 'stopped']);
    const profile = { displayname: null, avatarUrl: null };
    expect(await announcer.recordDevices('@a:x', ['D'])).to.deep.equal([]);
    expect(await announcer.updateRooms('@a:x', profile)).to.deep.equal([]);
    expect(await announcer.recordDevices('@a:x', ['D'])).to.deep.equal([
      { stream: 'device-lists', position: 5 },
    ]);
    expect(await announcer.updateRooms('@a:x', profile)).to.deep.equal([{ stream: 'events', position: 5 }]);
  });

  it('asks nobody about nothing', async () => {
    const { announcer, asks } = setUp([]);
    await announcer.publish([]);
    await announcer.recordDevices('@a:x', []);
    expect(asks).to.deep.equal([]);
  });
});
