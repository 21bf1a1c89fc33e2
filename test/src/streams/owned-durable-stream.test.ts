import { expect } from 'chai';
import type { WriteOutcome, WriteSet } from '../../../db/kit/write-set.ts';
import type { Fact } from '../../../src/streams/fact.ts';
import {
  MESSAGE_INVALIDATIONS_MAX,
  MESSAGE_ROWS_MAX,
  MESSAGE_SIZE_BYTES_MAX,
} from '../../../src/streams/message-batches.ts';
import {
  createOwnedDurableStream,
  type DurableStreamOwner,
  type StreamWrite,
} from '../../../src/streams/owned-durable-stream.ts';
import type { StreamServer } from '../../../src/streams/owned-stream.ts';
import { POSITION_REPAIR_INTERVAL_MS, SLOW_SUBSCRIBER_RETRY_MS } from '../../../src/streams/publisher.ts';
import { SUBSCRIBERS_MAX } from '../../../src/streams/stream-figures.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createFigures, type Figures } from './figures.ts';
import {
  createNoteLog,
  createRecordedTransport,
  type NoteRow,
  noteRow,
  type RecordedTransport,
  type Told,
} from './stream-doubles.ts';

const { stream } = createNoteLog();
const subscriber = 'views@a';

function committedAt(position: number): WriteOutcome {
  return { kind: 'committed', position, returned: {} };
}

/** One position per room, with one row. */
function notes(...roomIds: string[]): StreamWrite<NoteRow> {
  return { count: roomIds.length, steps: [], rows: () => roomIds.map((roomId) => [noteRow(roomId)]) };
}

function spans(told: readonly Told[]): string[] {
  return told.map((message) => {
    const what = message.kind === 'rows' ? message.rows.map(({ position }) => position).join() : '-';
    return `${message.subscriber} (${message.prev},${message.position}] ${what}`;
  });
}

describe('durable stream at its owner', () => {
  let transport: RecordedTransport;
  let clock: FakeClock;
  let figures: Figures;
  let applied: Fact[][];
  let order: string[];
  let high: number;
  /** What the committer does; allocates and commits at once when not replaced. */
  let commit: (set: WriteSet) => Promise<WriteOutcome>;
  let owner: DurableStreamOwner<NoteRow>;
  let server: StreamServer;

  beforeEach(() => {
    transport = createRecordedTransport();
    transport.deliver = () => order.push(`published at ${owner.currentToken()}`);
    clock = createFakeClock();
    figures = createFigures();
    applied = [];
    order = [];
    high = 10;
    commit = (set) => {
      const first = high + 1;
      high += set.advance?.count ?? 0;
      return Promise.resolve(committedAt(first));
    };
    ({ owner, server } = createOwnedDurableStream({
      stream,
      owner: 'note-keeper',
      start: 10,
      transport,
      caches: {
        applyFacts(facts) {
          applied.push([...facts]);
          if (facts.length > 0) order.push(`invalidated at ${owner.currentToken()}`);
        },
      },
      clock,
      metrics: figures.metrics,
      crash: () => undefined,
      write: (set) => commit(set),
    }));
  });
  afterEach(() => server.close());

  const subscribe = (name = subscriber, streams = ['notes']): void =>
    server.subscribe({ subscriber: name, streams });
  const clear = (): void => void transport.told.splice(0);

  it('1.5 commits, advances its token, invalidates its own caches, publishes, and only then answers', async () => {
    subscribe();
    order = [];
    commit = ((original) => async (set) => {
      order.push(`committed at ${owner.currentToken()}`);
      return original(set);
    })(commit);
    await owner.write(notes('!a', '!b'));
    order.push('answered');
    expect(order).to.deep.equal(['committed at 10', 'invalidated at 12', 'published at 12', 'answered']);
    expect(applied.flat()).to.deep.equal([
      { fact: 'profile', userId: '!a' },
      { fact: 'profile', userId: '!b' },
    ]);
  });

  it('1.5 the same facts travel with the rows', async () => {
    subscribe();
    clear();
    await owner.write(notes('!a'));
    const [message] = transport.told;
    expect(message?.kind === 'rows' && message.invalidations).to.deep.equal(applied.flat());
  });

  it('publishes in the order of the calls, whichever answer comes first', async () => {
    subscribe();
    clear();
    const answers: ((outcome: WriteOutcome) => void)[] = [];
    commit = () => new Promise((resolve) => answers.push(resolve));
    const writes = [owner.write(notes('!a')), owner.write(notes('!b')), owner.write(notes('!c'))];
    answers[2]?.(committedAt(12));
    answers[1]?.({ kind: 'refused', refusal: 'no', step: 0 });
    await clock.settle();
    expect(transport.told).to.deep.equal([]);
    expect(owner.currentToken()).to.equal(10);
    answers[0]?.(committedAt(11));
    await Promise.all(writes);
    expect(spans(transport.told)).to.deep.equal(['views@a (10,12] 11,12']);
    expect(owner.currentToken()).to.equal(12);
  });

  it('tells what one group commit settled in one message', async () => {
    subscribe();
    clear();
    await Promise.all(['!a', '!b', '!c'].map((roomId) => owner.write(notes(roomId))));
    expect(spans(transport.told)).to.deep.equal(['views@a (10,13] 11,12,13']);
  });

  it('a refused or unavailable write publishes nothing and moves nothing', async () => {
    subscribe();
    clear();
    for (const outcome of [
      { kind: 'refused', refusal: 'no', step: 0 },
      { kind: 'unavailable', fault: 'disk-full', detail: 'full' },
    ] as const) {
      commit = () => Promise.resolve(outcome);
      // One after another: each is a turn of its own.
      expect(await owner.write(notes('!a'))).to.deep.equal(outcome);
    }
    expect([transport.told, owner.currentToken()]).to.deep.equal([[], 10]);
  });

  it('1.4 after a write whose effect is unknown nothing more is published in this life', async () => {
    subscribe();
    clear();
    const answers: { resolve(outcome: WriteOutcome): void; reject(error: Error): void }[] = [];
    commit = () => new Promise((resolve, reject) => answers.push({ resolve, reject }));
    const outcomes = Promise.allSettled([owner.write(notes('!a')), owner.write(notes('!b'))]);
    answers[1]?.resolve(committedAt(12));
    answers[0]?.reject(new Error('no answer'));
    expect((await outcomes).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    let later: unknown = null;
    await owner.write(notes('!c')).catch((error: unknown) => (later = error));
    expect(String(later)).to.equal('Error: no answer');
    expect(transport.told).to.deep.equal([]);
  });

  it('1.8 history is published to nobody and leaves the token', async () => {
    subscribe();
    clear();
    const sets: WriteSet[] = [];
    commit = (set) => {
      sets.push(set);
      return Promise.resolve(committedAt(-1));
    };
    await owner.writeBackward({ count: 3, steps: [] });
    expect(sets[0]?.advance).to.deep.equal({ stream: 'notes', count: 3, direction: 'backward' });
    expect([transport.told, owner.currentToken()]).to.deep.equal([[], 10]);
  });

  it('3.8 a subscriber is answered with the last published position, not the committed one', async () => {
    const gate = Promise.withResolvers<WriteOutcome>();
    commit = () => gate.promise;
    const write = owner.write(notes('!a'));
    subscribe();
    expect(spans(transport.told)).to.deep.equal(['views@a (10,10] -']);
    gate.resolve(committedAt(11));
    await write;
    expect(spans(transport.told)).to.deep.equal(['views@a (10,10] -', 'views@a (10,11] 11']);
  });

  it('3.9 a thousand reconnecting subscribers cost a position each and no read', () => {
    for (let index = 0; index < 1000; index += 1) subscribe(`views@${index % 100}`);
    expect(transport.told).to.have.length(1000);
    expect(transport.told.every(({ kind }) => kind === 'position')).to.equal(true);
    expect(() => server.read({ stream: 'notes', epoch: 0, from: 0, to: 1, limit: 1 })).to.throw(
      'from the database',
    );
  });

  it('3.11 a position that was used for nothing is announced', async () => {
    subscribe();
    clear();
    await owner.write({ count: 2, steps: [], rows: () => [] });
    expect(spans(transport.told)).to.deep.equal(['views@a (10,12] -']);
  });

  it('3.11 unused positions before and after rows are covered by their message', async () => {
    subscribe();
    clear();
    await owner.write({ count: 3, steps: [], rows: () => [[], [noteRow('!a')], []] });
    expect(spans(transport.told)).to.deep.equal(['views@a (10,13] 12']);
  });

  it('says its position again and again, so that a lost message is noticed', async () => {
    subscribe();
    await owner.write(notes('!a'));
    clear();
    await clock.advance(2 * POSITION_REPAIR_INTERVAL_MS);
    expect(spans(transport.told)).to.deep.equal(['views@a (11,11] -', 'views@a (11,11] -']);
  });

  describe('messages', () => {
    beforeEach(() => {
      subscribe();
      clear();
    });

    it('3.5 hold no more rows than the bound, and never half a position', async () => {
      const perPosition = 30;
      await owner.write({
        count: 10,
        steps: [],
        rows: (positions) => positions.map(() => Array.from({ length: perPosition }, () => noteRow('!a'))),
      });
      const sizes = transport.told.map((message) => (message.kind === 'rows' ? message.rows.length : 0));
      expect(sizes).to.deep.equal([90, 90, 90, 30]);
      expect(Math.max(...sizes)).to.be.at.most(MESSAGE_ROWS_MAX);
      expect(transport.told.map(({ prev, position }) => [prev, position])).to.deep.equal([
        [10, 13],
        [13, 16],
        [16, 19],
        [19, 20],
      ]);
    });

    it('3.5 one position with 450 rows goes whole', async () => {
      await owner.write({
        count: 2,
        steps: [],
        rows: () => [[noteRow('!a')], Array.from({ length: 450 }, () => noteRow('!b'))],
      });
      expect(transport.told.map((message) => message.kind === 'rows' && message.rows.length)).to.deep.equal([
        1, 450,
      ]);
    });

    it('3.5 are bounded in bytes', async () => {
      const text = 'x'.repeat(MESSAGE_SIZE_BYTES_MAX / 4);
      await owner.write({ count: 9, steps: [], rows: (at) => at.map(() => [noteRow('!a', text)]) });
      expect(transport.told.map((message) => message.kind === 'rows' && message.rows.length)).to.deep.equal([
        3, 3, 3,
      ]);
    });

    it('3.5 are bounded in invalidations, which ride with their rows', async () => {
      server.close();
      const told = createRecordedTransport();
      const made = createOwnedDurableStream({
        stream: {
          ...stream,
          invalidates: (row: NoteRow) =>
            Array.from({ length: 400 }, (_, index) => ({
              fact: 'profile' as const,
              userId: `${row.roomId}${index}`,
            })),
        },
        owner: 'note-keeper',
        start: 0,
        transport: told,
        caches: null,
        clock,
        metrics: figures.metrics,
        crash: () => undefined,
        write: () => Promise.resolve(committedAt(1)),
      });
      made.server.subscribe({ subscriber, streams: ['notes'] });
      told.told.splice(0);
      await made.owner.write(notes('!a', '!b', '!c', '!d', '!e'));
      made.server.close();
      for (const message of told.told) {
        if (message.kind !== 'rows') throw new Error('no rows');
        expect(message.invalidations.length).to.be.at.most(MESSAGE_INVALIDATIONS_MAX);
        const rooms = message.rows.map(({ row }) => (row as NoteRow).roomId);
        expect(message.invalidations).to.have.length(400 * rooms.length);
      }
      expect(told.told).to.have.length(3);
    });
  });

  describe('a slow subscriber', () => {
    it('3.12 is told nothing more, then its position when it has room again', async () => {
      subscribe();
      subscribe('views@b');
      clear();
      transport.outcomes.set(subscriber, 'mailbox-full');
      await owner.write(notes('!a'));
      transport.outcomes.delete(subscriber);
      await owner.write(notes('!b'));
      expect(spans(transport.told)).to.deep.equal(['views@b (10,11] 11', 'views@b (11,12] 12']);
      await clock.advance(SLOW_SUBSCRIBER_RETRY_MS);
      await owner.write(notes('!c'));
      expect(spans(transport.told).slice(2)).to.deep.equal([
        'views@a (12,12] -',
        'views@a (12,13] 13',
        'views@b (12,13] 13',
      ]);
      expect(figures.counter('stream.notes.drops.mailbox-full')).to.equal(1);
    });

    it('3.12 is tried again and again, and nothing is kept for it', async () => {
      subscribe();
      transport.outcomes.set(subscriber, 'mailbox-full');
      await owner.write(notes('!a'));
      await clock.advance(10 * SLOW_SUBSCRIBER_RETRY_MS);
      expect(figures.counter('stream.notes.drops.mailbox-full')).to.equal(11);
      clear();
      transport.outcomes.delete(subscriber);
      await clock.advance(SLOW_SUBSCRIBER_RETRY_MS);
      expect(spans(transport.told)).to.deep.equal(['views@a (11,11] -']);
    });

    it('3.12 that has stopped is forgotten', async () => {
      subscribe();
      transport.outcomes.set(subscriber, 'stopped');
      await owner.write(notes('!a'));
      transport.outcomes.delete(subscriber);
      clear();
      await clock.advance(3 * POSITION_REPAIR_INTERVAL_MS);
      expect(transport.told).to.deep.equal([]);
      expect(figures.gauge('stream.notes.subscribers')).to.equal(0);
      expect(figures.counter('stream.notes.drops.stopped')).to.equal(1);
    });
  });

  it('3.10 who has unsubscribed is told nothing', async () => {
    subscribe();
    server.unsubscribe({ subscriber });
    clear();
    await owner.write(notes('!a'));
    await clock.advance(POSITION_REPAIR_INTERVAL_MS);
    expect(transport.told).to.deep.equal([]);
  });

  it('3.10 who wants positions only gets no rows', async () => {
    server.subscribe({ subscriber, streams: ['notes'], positionsOnly: ['notes'] });
    clear();
    await owner.write(notes('!a'));
    expect(spans(transport.told)).to.deep.equal(['views@a (10,11] -']);
  });

  it('2.9 an owner cannot subscribe to itself', () => {
    subscribe('note-keeper');
    expect(transport.told).to.deep.equal([]);
    expect(figures.counter('stream.notes.drops.own-rows')).to.equal(1);
  });

  it('has no more subscribers than its bound', () => {
    for (let index = 0; index <= SUBSCRIBERS_MAX; index += 1) subscribe(`s${index}`);
    expect(transport.told).to.have.length(SUBSCRIBERS_MAX);
    expect(figures.counter('stream.notes.drops.too-many-subscribers')).to.equal(1);
  });

  it('shows owner, committed and published position, and the lag of each subscriber', async () => {
    subscribe();
    await owner.write(notes('!a', '!b', '!c'));
    server.acknowledge({ subscriber, stream: 'notes', epoch: 0, position: 11 });
    const { gauges, texts } = figures.read();
    expect(texts.get('stream.notes.owner')).to.equal('note-keeper');
    expect(gauges.get('stream.notes.committed')).to.equal(13);
    expect(gauges.get('stream.notes.published')).to.equal(13);
    expect(gauges.get('stream.notes.subscriber.views@a.position')).to.equal(11);
    expect(gauges.get('stream.notes.subscriber.views@a.lag')).to.equal(2);
    expect(figures.counter('stream.notes.rows-published')).to.equal(3);
    expect(figures.counter('stream.notes.pokes-out')).to.equal(3);
  });
});
