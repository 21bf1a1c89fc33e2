import { expect } from 'chai';
import { createMemorySource } from '../../../../src/matrix/state-resolution/memory-source.ts';
import { BOB, tellStory } from './story.ts';

describe('createMemorySource', () => {
  for (const id of ['1', '10']) {
    it(`has events and their edges as room version ${id} writes them`, () => {
      const story = tellStory(id);
      const source = createMemorySource(story.events);
      expect(source.event('$public').pdu.type).to.equal('m.room.join_rules');
      const edges = [story.createId, '$first-levels', '$alice-joins'];
      expect(source.authEventIds('$public')).to.deep.equal(edges);
      expect(source.authEventIds('$public'), 'a second time').to.deep.equal(edges);
      story.usual.topic(BOB, 'later', { id: 'later' });
      expect(source.event('$later').eventId).to.equal('$later');
    });
  }

  it('has edges of events that it does not have, and throws for all else', () => {
    const source = createMemorySource(new Map(), new Map([['$far', ['$farther']]]));
    expect(source.authEventIds('$far')).to.deep.equal(['$farther']);
    expect(() => source.event('$far')).to.throw('$far was not loaded');
    expect(() => source.authEventIds('$farther')).to.throw('$farther were not loaded');
  });
});
