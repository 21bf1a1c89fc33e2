import { expect } from 'chai';
import {
  createWellKnownBook,
  lifetimeMs,
  readWellKnown,
  WELL_KNOWN_DEFAULT_MS,
  WELL_KNOWN_FAILURE_MS,
  WELL_KNOWN_GRACE_MS,
  WELL_KNOWN_MAX_MS,
  WELL_KNOWN_MIN_MS,
  WELL_KNOWN_SILENCE_MS,
  type WellKnownAnswer,
} from '../../../../src/federation/client/well-known.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const HOUR_MS = 60 * 60 * 1_000;

const found = (serverName: string, headers: Record<string, string> = {}): WellKnownAnswer => ({
  status: 200,
  headers,
  text: JSON.stringify({ 'm.server': serverName }),
});
const missing: WellKnownAnswer = { status: 404, headers: {}, text: 'not found' };

describe('well-known of servers', () => {
  it('is believed as long as it says, 24 hours when it does not say, 48 at most', () => {
    const lifetimes: readonly (readonly [Record<string, string>, number])[] = [
      [{}, WELL_KNOWN_DEFAULT_MS],
      [{ 'cache-control': 'public, max-age=7200' }, 2 * HOUR_MS],
      [{ 'cache-control': 'Max-Age="7200"' }, 2 * HOUR_MS],
      [{ 'cache-control': 's-maxage=60' }, WELL_KNOWN_DEFAULT_MS],
      [{ 'cache-control': 'max-age=99999999' }, WELL_KNOWN_MAX_MS],
      [{ 'cache-control': 'max-age=0' }, WELL_KNOWN_MIN_MS],
      [{ 'cache-control': 'no-store' }, WELL_KNOWN_MIN_MS],
      [{ 'cache-control': 'max-age=7200, no-cache' }, WELL_KNOWN_MIN_MS],
      [{ expires: 'Thu, 01 Jan 2026 03:00:00 GMT' }, 3 * HOUR_MS],
      [{ expires: 'Thu, 01 Jan 2026 03:00:00 GMT', 'cache-control': 'max-age=7200' }, 2 * HOUR_MS],
      [{ expires: 'Mon, 01 Jan 2046 03:00:00 GMT' }, WELL_KNOWN_MAX_MS],
      [{ expires: '0' }, WELL_KNOWN_MIN_MS],
      [{ expires: 'Thu, 01 Jan 1970 00:00:00 GMT' }, WELL_KNOWN_MIN_MS],
    ];
    for (const [headers, expected] of lifetimes)
      expect(lifetimeMs(headers, NOW), JSON.stringify(headers)).to.equal(expected);
  });
  it('names a server, or is of no use', () => {
    expect(readWellKnown(found('matrix.test:443'))).to.deep.equal({ serverName: 'matrix.test:443' });
    const useless: readonly Partial<WellKnownAnswer>[] = [
      { status: 404 },
      { status: 301 },
      { text: '' },
      { text: '<html>' },
      { text: '[]' },
      { text: '{}' },
      { text: '{"m.server":7}' },
      { text: '{"m.server":"https://matrix.test"}' },
      { text: '{"m.server":""}' },
    ];
    for (const part of useless)
      expect(readWellKnown({ ...found('m.test'), ...part }), JSON.stringify(part)).to.equal(null);
  });

  /** A book whose host answers what the test says. */
  function bookWith(first: WellKnownAnswer | undefined) {
    const clock = createFakeClock(NOW);
    let answer = first;
    let asked = 0;
    const look = createWellKnownBook(() => {
      asked += 1;
      return Promise.resolve(answer);
    }, clock);
    return {
      clock,
      say: (next: WellKnownAnswer | undefined) => (answer = next),
      asked: () => asked,
      name: async () => (await look('a.test'))?.serverName ?? null,
    };
  }

  it('is asked for once, however many want to know, and again when it is too old', async () => {
    const book = bookWith(found('m.test', { 'cache-control': 'max-age=7200' }));
    expect(await Promise.all([book.name(), book.name()])).to.deep.equal(['m.test', 'm.test']);
    await book.clock.advance(2 * HOUR_MS - 1);
    await book.name();
    expect(book.asked()).to.equal(1);
    book.say(found('n.test'));
    await book.clock.advance(1);
    expect(await book.name()).to.equal('n.test');
    expect(book.asked()).to.equal(2);
  });
  it('that there is none is believed for an hour; silence for two minutes', async () => {
    const none = bookWith(missing);
    expect(await none.name()).to.equal(null);
    none.say(found('m.test'));
    await none.clock.advance(WELL_KNOWN_FAILURE_MS - 1);
    expect(await none.name()).to.equal(null);
    await none.clock.advance(1);
    expect(await none.name()).to.equal('m.test');

    const silent = bookWith(undefined);
    expect(await silent.name()).to.equal(null);
    silent.say(found('m.test'));
    expect(await silent.name()).to.equal(null);
    await silent.clock.advance(WELL_KNOWN_SILENCE_MS);
    expect(await silent.name()).to.equal('m.test');
  });
  for (const [what, answer] of [
    ['is silent', undefined],
    ['answers nonsense', missing],
  ] as const) {
    it(`a host that ${what} is believed in what it said for an hour more, and not asked each time`, async () => {
      const book = bookWith(found('m.test', { 'cache-control': 'max-age=3600' }));
      await book.name();
      book.say(answer);
      await book.clock.advance(HOUR_MS);
      expect(await book.name()).to.equal('m.test');
      expect(await book.name()).to.equal('m.test');
      expect(book.asked()).to.equal(2);
      await book.clock.advance(WELL_KNOWN_GRACE_MS - 1);
      expect(await book.name()).to.equal('m.test');
      await book.clock.advance(WELL_KNOWN_SILENCE_MS);
      expect(await book.name()).to.equal(null);
    });
  }
});
