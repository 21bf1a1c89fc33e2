import { expect } from 'chai';
import { seededRandom } from '../../../src/kit/random.ts';
import {
  createOwnedMemoryStream,
  MEMORY_PAGE_ROWS_MAX,
  type MemoryStreamOwner,
  nextEpoch,
} from '../../../src/streams/owned-memory-stream.ts';
import type { StreamServer } from '../../../src/streams/owned-stream.ts';
import type { MemoryStream } from '../../../src/streams/stream.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createFigures, type Figures } from './figures.ts';
import {
  createRecordedTransport,
  type MoodRow,
  moodStream,
  type ParcelRow,
  parcelStream,
  type RecordedTransport,
} from './stream-doubles.ts';

const EPOCH = 77;

describe('in-memory stream at its owner', () => {
  let clock: FakeClock;
  let figures: Figures;
  let transport: RecordedTransport;
  let servers: StreamServer[];

  beforeEach(() => {
    clock = createFakeClock();
    figures = createFigures();
    transport = createRecordedTransport();
    servers = [];
  });
  afterEach(() => {
    for (const server of servers) server.close();
  });

  function own<Row>(
    stream: MemoryStream<string, Row>,
    rowsMax?: number,
  ): { readonly owner: MemoryStreamOwner<Row>; readonly server: StreamServer } {
    const base = { stream, owner: stream.owner, epoch: EPOCH, transport, caches: null, clock };
    const crash = (error: unknown): never => {
      throw error;
    };
    const made = createOwnedMemoryStream({
      ...base,
      crash,
      metrics: figures.metrics,
      ...(rowsMax === undefined ? {} : { rowsMax }),
    });
    servers.push(made.server);
    return made;
  }
  const mood = (roomId: string, text = 'glad'): MoodRow => ({ roomId, mood: text });
  const parcel = (name: string | null, destination = 'b'): ParcelRow => ({ destination, name });

  it('numbers its rows and tells those of one turn in one message', async () => {
    const { owner, server } = own(moodStream);
    server.subscribe({ subscriber: 'views@a', streams: ['moods'] });
    expect([owner.append(mood('!a')), owner.append(mood('!b')), owner.currentToken()]).to.deep.equal([
      1, 2, 2,
    ]);
    await clock.settle();
    expect(
      transport.told.map(({ kind, epoch, prev, position }) => [kind, epoch, prev, position]),
    ).to.deep.equal([
      ['position', EPOCH, 0, 0],
      ['rows', EPOCH, 0, 2],
    ]);
  });

  it('2.3 no two lives have one epoch: not in one process, not after its restart, not in one millisecond', () => {
    const random = seededRandom(5);
    const epochs = Array.from({ length: 31 }, (_, index) => nextEpoch(clock, random, index + 1));
    expect(new Set(epochs).size).to.equal(31);
    const restarted = createFakeClock(clock.now() + 1);
    for (let incarnation = 1; incarnation < 64; incarnation += 1)
      expect(nextEpoch(restarted, seededRandom(incarnation), incarnation)).to.be.greaterThan(
        Math.max(...epochs),
      );
    expect(nextEpoch(createFakeClock(8_700_000_000_000), random, 31)).to.satisfy(Number.isSafeInteger);
  });

  it('2.5 catching up costs what lives, whatever the token has grown to', () => {
    const { owner, server } = own(moodStream);
    // Only the number of positions matters: the rows replace one another.
    for (let index = 0; index < 50_000; index += 1) owner.append(mood(`!${index % 3}`, String(index)));
    const to = owner.currentToken();
    const page = server.read({ stream: 'moods', epoch: EPOCH, from: 0, to, limit: 100 });
    expect(page.rows.map(({ position }) => position)).to.deep.equal([to - 2, to - 1, to]);
    expect([page.to, page.epoch]).to.deep.equal([to, EPOCH]);
    owner.forget('!0');
    expect(server.read({ stream: 'moods', epoch: EPOCH, from: 0, to, limit: 100 }).rows).to.have.length(2);
  });

  it('2.5 reads by pages, the latest row of each key, ascending', () => {
    const { owner, server } = own(moodStream);
    for (const roomId of ['!a', '!b', '!c', '!d', '!a']) owner.append(mood(roomId));
    const read = (from: number, limit: number) =>
      server.read({ stream: 'moods', epoch: EPOCH, from, to: 5, limit });
    expect(read(0, 2)).to.deep.equal({
      epoch: EPOCH,
      to: 3,
      rows: [
        { position: 2, row: mood('!b') },
        { position: 3, row: mood('!c') },
      ],
    });
    expect(read(3, 2).rows.map(({ position }) => position)).to.deep.equal([4, 5]);
    expect(read(5, 2)).to.deep.equal({ epoch: EPOCH, to: 5, rows: [] });
  });

  it('gives no more rows than its bound, whatever is asked for', () => {
    const { owner, server } = own(moodStream);
    for (let index = 0; index < MEMORY_PAGE_ROWS_MAX + 5; index += 1) owner.append(mood(`!${index}`));
    const page = server.read({ stream: 'moods', epoch: EPOCH, from: 0, to: 10_000, limit: 10_000 });
    expect([page.rows.length, page.to]).to.deep.equal([MEMORY_PAGE_ROWS_MAX, MEMORY_PAGE_ROWS_MAX]);
  });

  it('2.3 an older epoch reads from the beginning, up to what there is now', () => {
    const { owner, server } = own(moodStream);
    owner.append(mood('!a'));
    owner.append(mood('!b'));
    for (const epoch of [0, EPOCH - 1, EPOCH + 1])
      expect(server.read({ stream: 'moods', epoch, from: 900, to: 901, limit: 10 })).to.deep.equal({
        epoch: EPOCH,
        to: 2,
        rows: [
          { position: 1, row: mood('!a') },
          { position: 2, row: mood('!b') },
        ],
      });
  });

  it('a row without a key needs a stream that is trimmed', () => {
    const { owner } = own({ ...moodStream, key: () => null });
    expect(() => owner.append(mood('!a'))).to.throw('has no key');
  });

  it('forgets the oldest rows beyond its bound, and counts them', () => {
    const { owner } = own(moodStream, 3);
    for (const roomId of ['!a', '!b', '!c', '!b', '!d', '!e']) owner.append(mood(roomId));
    expect(['!a', '!b', '!c', '!d', '!e'].filter((key) => owner.latest(key) !== undefined)).to.deep.equal([
      '!b',
      '!d',
      '!e',
    ]);
    expect(figures.counter('stream.moods.rows-overflowed')).to.equal(2);
  });

  describe('2.7 kept until acknowledged', () => {
    let owner: MemoryStreamOwner<ParcelRow>;
    let server: StreamServer;
    const positions = (): number[] =>
      server
        .read({ stream: 'parcels', epoch: EPOCH, from: 0, to: 1000, limit: 100 })
        .rows.map(({ position }) => position);
    const acknowledge = (subscriber: string, position: number, epoch = EPOCH): void =>
      server.acknowledge({ subscriber, stream: 'parcels', epoch, position });
    const subscribe = (subscriber: string): void => server.subscribe({ subscriber, streams: ['parcels'] });

    beforeEach(() => {
      ({ owner, server } = own(parcelStream));
      subscribe('sender-1');
      subscribe('sender-2');
      for (const name of [null, 'x', null, 'x']) owner.append(parcel(name));
    });

    it('keeps only the latest of a key, and every row without one', () => {
      expect(positions()).to.deep.equal([1, 3, 4]);
      owner.append(parcel('x', 'another server'));
      expect(positions()).to.deep.equal([1, 3, 4, 5]);
    });

    it('trims up to the slowest, one that has not acknowledged anything included', () => {
      acknowledge('sender-1', 4);
      expect(positions()).to.deep.equal([1, 3, 4]);
      acknowledge('sender-2', 1);
      expect(positions()).to.deep.equal([3, 4]);
      acknowledge('sender-2', 3);
      expect(positions()).to.deep.equal([4]);
    });

    it('rows after the acknowledgement survive a restart of the sender', async () => {
      acknowledge('sender-1', 4);
      acknowledge('sender-2', 1);
      transport.outcomes.set('sender-2', 'stopped');
      owner.append(parcel(null));
      await clock.settle();
      acknowledge('sender-1', 5);
      expect(positions()).to.deep.equal([3, 4, 5]);
      transport.outcomes.delete('sender-2');
      subscribe('sender-2');
      expect(positions()).to.deep.equal([3, 4, 5]);
    });

    it('who leaves for good holds nothing up', () => {
      acknowledge('sender-1', 4);
      server.unsubscribe({ subscriber: 'sender-2' });
      expect(positions()).to.deep.equal([]);
    });

    it('an acknowledgement of another epoch or of a stranger means nothing', () => {
      acknowledge('sender-1', 4, EPOCH - 1);
      acknowledge('sender-2', 4, EPOCH - 1);
      acknowledge('stranger', 4);
      expect(positions()).to.deep.equal([1, 3, 4]);
    });

    it('who wants positions only holds nothing up', () => {
      server.subscribe({ subscriber: 'views@a', streams: ['parcels'], positionsOnly: ['parcels'] });
      acknowledge('sender-1', 4);
      acknowledge('sender-2', 4);
      expect(positions()).to.deep.equal([]);
    });
  });
});
