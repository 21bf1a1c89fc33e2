import { expect } from 'chai';
import type { MemoryStream } from '../../../src/streams/stream.ts';
import { type MoodRow, moodStream } from './stream-doubles.ts';
import { createViewHarness, type ViewHarness, wokenBy } from './view-harness.ts';

const telling: MemoryStream<'moods', MoodRow> = {
  ...moodStream,
  forgotten: ({ roomId, mood }) => (mood === 'none' ? null : { roomId, mood: 'none' }),
};

describe('rows that an owner has forgotten', () => {
  let harness: ViewHarness;
  const row = (position: number, roomId: string, mood = 'glad') => ({ position, row: { roomId, mood } });
  const held = () =>
    harness.views
      .memoryRows(moodStream, 0)
      .map(({ position, row: { roomId, mood } }) => [position, roomId, mood]);

  /** A view with three rows, to which the owner answers as if it had forgotten `!a` and `!b` since. */
  function open(stream: MemoryStream<'moods', MoodRow>): void {
    harness = createViewHarness({ streams: (log) => [log.stream, stream] });
    harness.moodPosition(5, 0);
    harness.moodRows(5, 0, [row(1, '!a'), row(2, '!b', 'none'), row(3, '!c')]);
    const living = [row(3, '!c'), row(9, '!d')];
    harness.answer = ({ epoch, from, to }) =>
      Promise.resolve({
        epoch,
        rows: living.filter(({ position }) => position > from && position <= to),
        to,
        ...(from < 8 ? { forgottenUpTo: 8 } : {}),
      });
  }
  afterEach(() => harness.views.close());

  it('are replaced by what their absence says, and wake who waits for them', async () => {
    open(telling);
    const woken = await wokenBy(harness, ['!a', '!b', '!c', '!d'], () => harness.moodPosition(5, 9));
    expect(held()).to.deep.equal([
      [2, '!b', 'none'],
      [3, '!c', 'glad'],
      [4, '!a', 'none'],
      [9, '!d', 'glad'],
    ]);
    expect(woken.toSorted()).to.deep.equal(['!a', '!d']);
    expect([harness.views.forgottenUpTo('moods'), harness.views.currentToken('moods')]).to.deep.equal([8, 9]);
    expect(harness.asked.map(({ from, to }) => [from, to])).to.deep.equal([
      [3, 9],
      [0, 3],
    ]);
  });

  it('are dropped where their absence says nothing else', async () => {
    open(moodStream);
    const woken = await wokenBy(harness, ['!a', '!b', '!c'], () => harness.moodPosition(5, 9));
    expect(held().map(([, roomId]) => roomId)).to.deep.equal(['!c', '!d']);
    expect(woken.toSorted()).to.deep.equal(['!a', '!b']);
  });

  it('cost a view that begins nothing but the mark', async () => {
    open(telling);
    harness.moodPosition(6, 9);
    await harness.clock.settle();
    expect(held().map(([, roomId]) => roomId)).to.deep.equal(['!c', '!d']);
    expect([harness.views.epoch('moods'), harness.views.forgottenUpTo('moods')]).to.deep.equal([6, 8]);
    expect(harness.asked).to.have.length(1);
  });

  it('an owner that begins anew meanwhile is read again', async () => {
    open(telling);
    const { answer } = harness;
    harness.answer = (request) =>
      request.from === 0 ? Promise.resolve({ epoch: 6, rows: [row(1, '!new')], to: 1 }) : answer(request);
    harness.moodPosition(5, 9);
    await harness.clock.settle();
    expect(harness.state('moods')).to.equal('stalled');
    harness.moodPosition(6, 1);
    await harness.clock.advance(200);
    expect([held(), harness.views.forgottenUpTo('moods')]).to.deep.equal([[[1, '!new', 'glad']], 0]);
  });

  it('are none while nothing was missed', () => {
    open(telling);
    harness.views.disconnect('mood-keeper');
    harness.moodPosition(5, 3);
    expect([harness.asked.length, harness.views.forgottenUpTo('moods')]).to.deep.equal([0, 0]);
  });
});
