import { expect } from 'chai';
import {
  conflictedEventIds,
  eventsNeededWithChains,
  unconflictedEventsNeeded,
} from '../../../../src/matrix/state-resolution/needed-events.ts';
import type { ResolutionEvent } from '../../../../src/matrix/state-resolution/resolution.ts';
import { splitStates } from '../../../../src/matrix/state-resolution/split-states.ts';
import { ALICE, BOB, tellStory } from './story.ts';

// That these suffice is shown with random rooms, in oracle.test.ts.
describe('what a loader must load', () => {
  const needs = (
    id: string,
  ): { readonly chains: readonly string[]; readonly unconflicted: readonly string[] } => {
    const story = tellStory(id);
    const states = [
      story.usual.topic(ALICE, 'one', { id: 'one' }).state,
      story.usual.topic(BOB, 'two', { id: 'two' }).state,
    ];
    const split = splitStates(states);
    expect(conflictedEventIds(split.conflicted)).to.deep.equal(['$one', '$two']);
    const events = ['$one', '$two'].map((eventId) => story.events.get(eventId) as ResolutionEvent);
    const needed = unconflictedEventsNeeded(story.version, events, split.unconflicted);
    return {
      chains: eventsNeededWithChains(story.version, split),
      unconflicted: needed.map((eventId) => (eventId === story.createId ? 'create' : eventId)),
    };
  };
  const checkedAgainst = ['create', '$first-levels', '$alice-joins', '$bob-joins'];

  it('are conflicted events, and what they are checked against', () => {
    expect(needs('1')).to.deep.equal({ chains: ['$one', '$two'], unconflicted: checkedAgainst });
  });

  it('are in version 2 the undisputed levels too, for the mainline', () => {
    expect(needs('10')).to.deep.equal({
      chains: ['$one', '$two', '$first-levels'],
      unconflicted: checkedAgainst,
    });
  });

  it('is in version 2.1 nothing undisputed but the create event', () => {
    expect(needs('12')).to.deep.equal({ chains: ['$one', '$two'], unconflicted: ['create'] });
  });

  it('is nothing when nothing is disputed', () => {
    const { version, usual } = tellStory('10');
    const split = splitStates([usual.state, usual.state]);
    expect(eventsNeededWithChains(version, split)).to.deep.equal([]);
    expect(unconflictedEventsNeeded(version, [], split.unconflicted)).to.deep.equal([]);
  });
});
