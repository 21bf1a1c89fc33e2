import { expect } from 'chai';
import {
  createEduQueue,
  type QueuedEdu,
  WAITING_EDUS_MAX,
} from '../../../actors/federation-sender/edu-queue.ts';

const edu = (position: number, key: string | null, type = 'm.typing'): QueuedEdu => ({
  type,
  key,
  position,
  content: { position },
});

describe('the queue of EDUs', () => {
  it('holds of a key and type the latest, and knows what waits longest', () => {
    const queue = createEduQueue();
    for (const one of [
      edu(1, 'a'),
      edu(2, 'b'),
      edu(3, 'a'),
      edu(4, 'a', 'm.other'),
      edu(5, null),
      edu(6, null),
    ])
      queue.add(one);
    expect(queue.size).to.equal(5);
    expect(queue.firstPosition()).to.equal(2);
    const { taken, edus } = queue.take(2);
    expect(edus.map(({ content }) => content)).to.deep.equal([{ position: 2 }, { position: 3 }]);
    queue.add(edu(7, 'a'));
    queue.remove(taken);
    expect(queue.take(10).taken.map(({ position }) => position)).to.deep.equal([4, 5, 6, 7]);
    queue.forgetPositions();
    expect(queue.firstPosition()).to.equal(Infinity);
  });

  it('is bounded: the oldest makes room', () => {
    const queue = createEduQueue();
    for (let position = 1; position <= WAITING_EDUS_MAX + 1; position += 1) queue.add(edu(position, null));
    expect(queue.size).to.equal(WAITING_EDUS_MAX);
    expect(queue.firstPosition()).to.equal(2);
  });

  it('is patient with receipts and presence alone, and forgets what was true for a moment', () => {
    const queue = createEduQueue();
    queue.add(edu(1, 'a', 'm.receipt'));
    queue.add(edu(2, 'a', 'm.presence'));
    expect(queue.isUrgent()).to.equal(false);
    queue.add(edu(3, 'a'));
    expect(queue.isUrgent()).to.equal(true);
    queue.dropMomentary();
    expect(queue.take(10).taken.map(({ type }) => type)).to.deep.equal(['m.receipt']);
  });

  it('packs presences of many users into one EDU', () => {
    const queue = createEduQueue();
    for (let user = 0; user < 150; user += 1)
      queue.add({
        type: 'm.presence',
        key: `${user}`,
        position: user,
        content: { push: [{ user_id: `${user}` }] },
      });
    const { edus, taken } = queue.take(1);
    expect(edus).to.have.length(1);
    expect(taken).to.have.length(100);
    expect(queue.take(10).edus).to.have.length(2);
  });
});
