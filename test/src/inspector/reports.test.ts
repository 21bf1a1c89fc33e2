import { expect } from 'chai';
import { Compile } from 'typebox/compile';
import { cacheSchema, limitSchema, streamSchema } from '../../../src/http/inspector/report-schemas.ts';
import { cacheReports } from '../../../src/inspector/cache-report.ts';
import { limitReports } from '../../../src/inspector/limit-report.ts';
import { streamReport, type ThreadFigures } from '../../../src/inspector/stream-report.ts';
import { getStream } from './get-stream.ts';
import { createFigures, type Figures } from '../streams/figures.ts';

const MILLIS = 8;

describe('the reports of the inspector', () => {
  let store: Figures;
  let gateway: Figures;
  const threads = (): ThreadFigures[] => [
    { thread: 'store', figures: store.read() },
    { thread: 'gateway-1', figures: gateway.read() },
  ];

  beforeEach(() => {
    [store, gateway] = [createFigures(), createFigures()];
  });

  it('a cache, per thread that has used it', () => {
    const cache = (figure: string) => gateway.metrics.counter(`cache.members.${figure}`);
    cache('hits').add(3);
    cache('misses').add(1);
    cache('invalidations').add(2);
    cache('not-stored').add(1);
    gateway.metrics.gauge('cache.members.size').set(7);
    store.metrics.counter('cache.rules.misses').add(0);
    const reports = cacheReports(threads());
    expect(reports).to.deep.equal([
      {
        name: 'rules',
        thread: 'store',
        hits: 0,
        misses: 0,
        hitRatio: 0,
        size: 0,
        invalidations: 0,
        notStored: 0,
      },
      {
        name: 'members',
        thread: 'gateway-1',
        hits: 3,
        misses: 1,
        hitRatio: 0.75,
        size: 7,
        invalidations: 2,
        notStored: 1,
      },
    ]);
    for (const report of reports) expect(Compile(cacheSchema).Check(report)).to.equal(true);
  });

  it('a limiter, per thread on which it has fired', () => {
    gateway.metrics.counter('http.rate-limited.message.user').add(4);
    const reports = limitReports(threads());
    expect(reports).to.deep.equal([{ class: 'message', kind: 'user', thread: 'gateway-1', refused: 4 }]);
    for (const report of reports) expect(Compile(limitSchema).Check(report)).to.equal(true);
  });

  describe('a stream', () => {
    const receipts = getStream('receipts');

    it('whose owner has not come up: nothing is made up', () => {
      const report = streamReport(receipts, threads());
      expect(report).to.deep.include({ owner: 'receipts', published: 0, drops: {}, subscribers: [] });
      expect(Compile(streamSchema).Check(report)).to.equal(true);
    });

    it('as its owner and its subscribers see it', () => {
      const owned = store.metrics;
      owned.text('stream.receipts.owner').set('receipts');
      owned.gauge('stream.receipts.committed').set(12);
      owned.gauge('stream.receipts.published').set(11);
      owned.counter('stream.receipts.rows-published').add(13);
      owned.counter('stream.receipts.messages-sent').add(5);
      owned.counter('stream.receipts.pokes-in').add(6);
      owned.counter('stream.receipts.pokes-out').add(2);
      const seen = gateway.metrics;
      seen.gauge('stream.receipts.applied').set(8);
      seen.text('stream.receipts.state').set('catching-up');
      seen.counter('stream.receipts.rows-applied').add(8);
      seen.counter('stream.receipts.catch-ups').add(1);
      seen.counter('stream.receipts.catch-up-rows').add(4);
      seen.histogram('stream.receipts.catch-up-ms').record(MILLIS);
      seen.counter('stream.receipts.resets').add(2);
      seen.gauge('stream.receipts.waiters').set(3);
      seen.counter('stream.receipts.waiters-timed-out').add(1);
      seen.counter('stream.receipts.drops.duplicate').add(9);
      seen.text('stream.receipts.last-error').set('no page');
      const report = streamReport(receipts, threads());
      const { subscribers, ...own } = report;
      expect(own).to.deep.equal({
        name: 'receipts',
        kind: 'durable',
        owner: 'receipts',
        epoch: 0,
        committed: 12,
        published: 11,
        rowsPublished: 13,
        messagesSent: 5,
        rowsHeld: 0,
        pokesIn: 6,
        pokesOut: 2,
        drops: {},
      });
      expect(subscribers).to.have.length(1);
      const { catchUps, ...subscriber } = subscribers[0] ?? { catchUps: undefined };
      expect(subscriber).to.deep.equal({
        name: 'views@gateway-1',
        thread: 'gateway-1',
        state: 'catching-up',
        epoch: 0,
        position: 8,
        lag: 3,
        rowsApplied: 8,
        resets: 2,
        waiters: 3,
        waitersTimedOut: 1,
        drops: { duplicate: 9 },
        lastError: 'no page',
      });
      expect(catchUps).to.include({ count: 1, rows: 4 });
      expect(catchUps?.p50Ms).to.be.closeTo(MILLIS, MILLIS / 4);
      expect(Compile(streamSchema).Check(report)).to.equal(true);
    });

    it('a subscriber that is ahead of what the owner has said has no negative lag', () => {
      store.metrics.text('stream.receipts.owner').set('receipts');
      gateway.metrics.gauge('stream.receipts.applied').set(2);
      expect(streamReport(receipts, threads()).subscribers[0]?.lag).to.equal(0);
    });

    it('an owner and a subscriber on one thread have drops of their own', () => {
      store.metrics.text('stream.receipts.owner').set('receipts');
      store.metrics.gauge('stream.receipts.applied').set(0);
      store.metrics.counter('stream.receipts.drops.mailbox-full').add(2);
      store.metrics.counter('stream.receipts.drops.gap').add(3);
      const { drops, subscribers } = streamReport(receipts, threads());
      expect(drops).to.deep.equal({ 'mailbox-full': 2 });
      expect(subscribers.map((one) => one.drops)).to.deep.equal([{ gap: 3 }]);
    });

    it('of the caches counts the invalidations that came in and the pokes that went out', () => {
      store.metrics.text('stream.caches.owner').set('caches');
      store.metrics.counter('stream.caches.invalidations-in').add(50);
      store.metrics.counter('stream.caches.pokes-sent').add(10);
      expect(streamReport(getStream('caches'), threads())).to.include({ pokesIn: 50, pokesOut: 10 });
    });
  });
});
