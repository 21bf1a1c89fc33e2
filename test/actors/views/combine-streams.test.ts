import { expect } from 'chai';
import { combineStreams, type StreamOwnerHandlers } from '../../../actors/stream-owner.ts';
import { createOwnedMemoryStream, type MemoryStreamOwner } from '../../../src/streams/owned-memory-stream.ts';
import type { StreamServer } from '../../../src/streams/owned-stream.ts';
import type { MemoryStream } from '../../../src/streams/stream.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFigures } from '../../src/streams/figures.ts';
import {
  createRecordedTransport,
  type MoodRow,
  moodStream,
  type RecordedTransport,
} from '../../src/streams/stream-doubles.ts';

const tempers: MemoryStream<'tempers', MoodRow> = { ...moodStream, name: 'tempers', letter: null };

describe('an actor with several streams', () => {
  const clock = createFakeClock();
  let transport: RecordedTransport;
  let owners: MemoryStreamOwner<MoodRow>[];
  let servers: StreamServer[];
  let handlers: StreamOwnerHandlers;

  beforeEach(() => {
    transport = createRecordedTransport();
    const { metrics } = createFigures();
    const made = [moodStream, tempers].map((stream) =>
      createOwnedMemoryStream<MoodRow>({
        stream,
        owner: 'mood-keeper',
        epoch: 3,
        transport,
        caches: null,
        clock,
        metrics,
        crash: () => undefined,
      }),
    );
    owners = made.map(({ owner }) => owner);
    servers = made.map(({ server }) => server);
    handlers = combineStreams(...made);
  });
  afterEach(() => {
    for (const server of servers) server.close();
  });

  it('3.10 tells of those that were asked for, and no others', async () => {
    void handlers['stream.subscribe']({ subscriber: 'one', streams: ['tempers', 'unknown'] });
    void handlers['stream.subscribe']({ subscriber: 'both', streams: ['tempers', 'moods'] });
    for (const owner of owners) owner.append({ roomId: '!a', mood: 'glad' });
    await clock.settle();
    const told = (subscriber: string): string[] =>
      transport.told
        .filter((each) => each.subscriber === subscriber)
        .map(({ stream, kind }) => `${stream} ${kind}`);
    expect(told('one')).to.deep.equal(['tempers position', 'tempers rows']);
    expect(told('both')).to.have.members([
      'tempers position',
      'moods position',
      'tempers rows',
      'moods rows',
    ]);
    void handlers['stream.unsubscribe']({ subscriber: 'both' });
    transport.told.splice(0);
    for (const owner of owners) owner.append({ roomId: '!a', mood: 'sad' });
    await clock.settle();
    expect(transport.told.map(({ subscriber }) => subscriber)).to.deep.equal(['one']);
  });

  it('answers a read for the stream that it names, and no stream that is not here', () => {
    owners[1]?.append({ roomId: '!a', mood: 'glad' });
    const read = (stream: string) => handlers['stream.read']({ stream, epoch: 3, from: 0, to: 9, limit: 5 });
    expect(read('tempers')).to.deep.include({ epoch: 3, to: 1 });
    expect(read('moods')).to.deep.equal({ epoch: 3, to: 0, rows: [] });
    expect(() => read('other')).to.throw('not owned here');
  });
});
