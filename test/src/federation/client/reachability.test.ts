import { expect } from 'chai';
import { storeFailing } from '../../../../db/federation-sender/writer.ts';
import {
  HEARD_NOTE_EVERY_MS,
  NOTICED_FOR_MS,
  openReachability,
  type SharedReachability,
} from '../../../../src/federation/client/reachability.ts';
import type { ThreadCaches } from '../../../../src/streams/cache.ts';
import { createThreadCaches } from '../../../../src/streams/cache-store.ts';
import { createTestDatabase, silentMetrics, type TestDatabase } from '../../../support/database.ts';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts';

const FAR = 'far.example';

describe('the book of servers out of reach', () => {
  let database: TestDatabase;
  let caches: ThreadCaches;
  let clock: FakeClock;
  let book: SharedReachability;
  let told: string[];

  beforeEach(async () => {
    database = await createTestDatabase();
    caches = createThreadCaches({ db: database.db, metrics: silentMetrics });
    clock = createFakeClock();
    told = [];
    book = openReachability(clock, database.db, () => caches);
    book.connect({
      heard: (serverName) => void told.push(`heard ${serverName}`),
      unreachable: (serverName, reason) => void told.push(`${serverName}: ${reason}`),
    });
  });
  afterEach(() => database.close());

  /** As the sender writes it, and tells all threads. */
  async function store(retryTs: number | null, isAnswering: 0 | 1 = 0): Promise<void> {
    const failing = { destination: FAR, failingSinceTs: 1, failures: 1, isAnswering, lastError: 'x' };
    const step = storeFailing(FAR, retryTs === null ? null : { ...failing, retryTs });
    const outcome = await database.write.write({ owner: 'federation-sender', steps: [step] });
    expect(outcome.kind).to.equal('committed');
    caches.applyFacts([{ fact: 'reach', serverName: FAR }]);
  }

  it('says what is stored, and hears when that changes; who refuses is not out of reach', async () => {
    expect(await book.retryTs(FAR)).to.equal(null);
    await store(7e12);
    expect(await book.retryTs(FAR)).to.equal(7e12);
    await store(8e12, 1);
    expect(await book.retryTs(FAR)).to.equal(null);
    await store(7e12);
    await store(null);
    expect(await book.retryTs(FAR)).to.equal(null);
    const uncached = openReachability(clock, database.db, () => null);
    await store(9e12);
    expect(await uncached.retryTs(FAR)).to.equal(9e12);
  });

  it('asks at once whom others have heard, whatever was noticed here a moment before', async () => {
    expect(await book.retryTs(FAR)).to.equal(null);
    book.noteUnreachable(FAR, 'refused');
    expect(await book.retryTs(FAR)).to.equal(clock.now() + NOTICED_FOR_MS);
    await store(7e12);
    await store(null);
    expect(await book.retryTs(FAR)).to.equal(null);
  });

  it('does not ask for a moment who was just noticed not to answer, and tells the sender', async () => {
    book.noteUnreachable(FAR, 'refused');
    expect(await book.retryTs(FAR)).to.equal(clock.now() + NOTICED_FOR_MS);
    expect(told).to.deep.equal(['far.example: refused']);
    book.noteHeard(FAR);
    expect(await book.retryTs(FAR)).to.equal(null);
  });

  it('tells seldom that a server answers, and at once that one is back', async () => {
    book.noteHeard(FAR);
    book.noteHeard(FAR);
    expect(told).to.have.length(1);
    await clock.advance(HEARD_NOTE_EVERY_MS);
    book.noteHeard(FAR);
    expect(told).to.have.length(2);
    await store(7e12);
    await book.retryTs(FAR);
    book.noteHeard(FAR);
    expect(told).to.have.length(3);
  });
});
