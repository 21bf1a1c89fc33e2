import { expect } from 'chai';
import {
  RATE_LIMIT_KEYS_MAX,
  RETRY_AFTER_MS_MAX,
  createRateLimits,
} from '../../../../src/http/kit/rate-limits.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { silentMetrics } from '../../../support/database.ts';
import { testConfig } from './test-app.ts';

const limited = (perSecond: number, burst: number, gateways = 1) =>
  testConfig({
    server: { gateways },
    rateLimits: { message: { perSecond, burst }, login: { perSecond, burst } },
  });

describe('rate limits', () => {
  it('allow a burst, then what comes back with time, and say when the next is due', async () => {
    const clock = createFakeClock();
    const limits = createRateLimits(limited(2, 3), clock, silentMetrics);
    const take = () => limits.take('message', 'user', '@a:x');
    expect([take(), take(), take(), take()]).to.deep.equal([null, null, null, 500]);
    await clock.advance(300);
    expect(take()).to.equal(200);
    await clock.advance(200);
    expect([take(), take()]).to.deep.equal([null, 500]);
    await clock.advance(60_000);
    expect([take(), take(), take(), take()]).to.deep.equal([null, null, null, 500]);
  });

  it('count each class, kind and key apart', () => {
    const limits = createRateLimits(limited(1, 1), createFakeClock(), silentMetrics);
    expect(limits.take('message', 'user', 'a')).to.equal(null);
    expect(limits.take('message', 'user', 'b')).to.equal(null);
    expect(limits.take('message', 'address', 'a')).to.equal(null);
    expect(limits.take('login', 'user', 'a')).to.equal(null);
    expect(limits.take('message', 'user', 'a')).to.equal(1000);
  });

  it('give each gateway its share, but never nothing', () => {
    const limits = createRateLimits(limited(4, 4, 2), createFakeClock(), silentMetrics);
    const take = () => limits.take('message', 'user', 'a');
    expect([take(), take(), take()]).to.deep.equal([null, null, 500]);
    const many = createRateLimits(limited(4, 2, 8), createFakeClock(), silentMetrics);
    expect(many.take('message', 'user', 'a')).to.equal(null);
  });

  it('do nothing when they are off, and bound the wait when nothing ever comes back', () => {
    const off = createRateLimits(
      testConfig({ rateLimits: { enabled: false, message: { perSecond: 0, burst: 0 } } }),
      createFakeClock(),
      silentMetrics,
    );
    expect(off.take('message', 'user', 'a')).to.equal(null);
    const never = createRateLimits(limited(0, 1), createFakeClock(), silentMetrics);
    expect(never.take('message', 'user', 'a')).to.equal(null);
    expect(never.take('message', 'user', 'a')).to.equal(RETRY_AFTER_MS_MAX);
  });

  it('forget the key that was idle longest when the table is full', () => {
    const limits = createRateLimits(limited(1, 1), createFakeClock(), silentMetrics);
    for (let key = 0; key <= RATE_LIMIT_KEYS_MAX; key += 1) limits.take('message', 'address', `${key}`);
    expect(limits.take('message', 'address', `${RATE_LIMIT_KEYS_MAX}`)).to.equal(1000);
    expect(limits.take('message', 'address', '0')).to.equal(null);
  });
});
