import { expect } from 'chai';
import type { ResolutionTrace } from '../../../../src/matrix/state-resolution/resolution.ts';
import { stateName } from '../../../../src/matrix/state-resolution/state-map.ts';
import { ALICE, BOB, CAROL, EVE, tellStory } from './story.ts';

const FRANK = '@frank:f';

describe('what algorithm 2.1 does better', () => {
  for (const [id, isReset] of [
    ['11', true],
    ['12', false],
  ] as const) {
    const outcome = isReset ? 'is lost' : 'stays';
    it(`version ${id}: who joined while the room was open ${outcome} when a state without the join is resolved in`, () => {
      const story = tellStory(id);
      const joined = story.usual.join(FRANK, { id: 'frank' });
      const closed = joined.joinRule(ALICE, 'invite', { id: 'closed' });
      const forgetful = closed.withState(
        new Map([...closed.state].filter(([name]) => name !== stateName('m.room.member', FRANK))),
      );
      expect(story.standing([closed, forgetful], 'm.room.member', FRANK)).to.equal(
        isReset ? undefined : '$frank',
      );
      expect(story.standing([closed, forgetful], 'm.room.join_rules')).to.equal('$closed');
    });

    it(`version ${id}: levels that stand on levels that no state has any more: their change ${outcome}`, () => {
      const story = tellStory(id);
      // Carol's level comes from the second levels, which both states have behind them and neither has.
      const third = story.usual
        .levels(ALICE, { [BOB]: 50, [CAROL]: 60 }, { id: 'second' })
        .levels(CAROL, { [BOB]: 50, [CAROL]: 60, [EVE]: 50 }, { id: 'third' });
      const late = third.join(FRANK, { id: 'frank' });
      const back = late.withState(
        new Map(late.state).set(stateName('m.room.power_levels', ''), '$first-levels'),
      );
      const traces: ResolutionTrace[] = [];
      const result = story.resolve([back, third], (trace) => traces.push(trace));
      expect(result.get(stateName('m.room.power_levels', ''))).to.equal(isReset ? '$first-levels' : '$third');
      expect(traces[0]?.authDifference).not.to.include('$second');
      // Carol's join and the rule that let Frank in are on paths down to the first levels too.
      const subgraph = ['$carol-joins', '$first-levels', '$frank', '$public', '$second', '$third'];
      expect(traces[0]?.conflictedSubgraph.toSorted()).to.deep.equal(isReset ? [] : subgraph);
    });
  }

  it('the subgraph takes nothing that stands beside the paths', () => {
    const story = tellStory('12');
    const left = story.usual.levels(ALICE, { [BOB]: 49 }, { id: 'left' }).topic(ALICE, 'x', { id: 'topic' });
    const right = story.usual.send(ALICE, 'm.room.name', '', {}, { id: 'name' });
    const traces: ResolutionTrace[] = [];
    story.resolve([left, right], (trace) => traces.push(trace));
    const subgraph = ['$first-levels', '$left', '$name', '$topic'];
    expect(traces[0]?.conflictedSubgraph.toSorted()).to.deep.equal(subgraph);
    expect(traces[0]?.algorithm).to.equal('v2.1');
  });

  it('creators sort before everyone, although the create event is among no auth events', () => {
    const story = tellStory('12');
    const byBob = story.usual.joinRule(BOB, 'invite', { id: 'bobs', ts: 20 });
    const byAlice = story.usual.joinRule(ALICE, 'knock', { id: 'alices', ts: 30 });
    const traces: ResolutionTrace[] = [];
    const result = story.resolve([byBob, byAlice], (trace) => traces.push(trace));
    expect(traces[0]?.steps.map(({ eventId }) => eventId).slice(-2)).to.deep.equal(['$alices', '$bobs']);
    expect(result.get(stateName('m.room.join_rules', ''))).to.equal('$bobs');
  });
});
