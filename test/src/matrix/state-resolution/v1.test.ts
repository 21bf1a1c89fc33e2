import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { createMemorySource } from '../../../../src/matrix/state-resolution/memory-source.ts';
import type { ResolutionTrace } from '../../../../src/matrix/state-resolution/resolution.ts';
import { resolveState } from '../../../../src/matrix/state-resolution/resolve-state.ts';
import { ALICE, BOB, CAROL, DAVE, EVE, tellStory, without } from './story.ts';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

describe('state resolution in room version 1', () => {
  it('the deepest topic that is allowed counts', () => {
    const story = tellStory('1');
    const high = story.usual.topic(ALICE, 'high', { id: 'high', depth: 20 });
    const higher = story.usual.topic(BOB, 'higher', { id: 'higher', depth: 21 });
    expect(story.standing([higher, high], 'm.room.topic')).to.equal('$higher');
    const forbidden = story.usual.topic(EVE, 'no', { id: 'forbidden', depth: 22, isForced: true });
    expect(story.standing([forbidden, high, higher], 'm.room.topic')).to.equal('$higher');
  });

  it('at one depth the smaller hash counts for topics', () => {
    const story = tellStory('1');
    const ids = ['one', 'two', 'three', 'four'];
    const topics = ids.map((id) => story.usual.topic(ALICE, id, { id, depth: 20 }));
    const [smallest] = ids
      .map((id) => `$${id}`)
      .toSorted((left, right) => (sha1(left) < sha1(right) ? -1 : 1));
    expect(story.standing(topics, 'm.room.topic')).to.equal(smallest);
    expect(story.standing(topics.toReversed(), 'm.room.topic')).to.equal(smallest);
  });

  it('at one depth memberships are taken by descending hash', () => {
    const story = tellStory('1');
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const names = ids.map((id) =>
      story.usual.member(EVE, EVE, 'join', { displayname: id }, { id, depth: 20 }),
    );
    const smallest = ids
      .map((id) => `$${id}`)
      .toSorted((left, right) => (sha1(left) < sha1(right) ? -1 : 1))[0];
    expect(story.standing(names, 'm.room.member', EVE), 'the last of an unbroken line').to.equal(smallest);
    const out = story.usual.kick(ALICE, EVE, { id: 'out', depth: 20 });
    const ban = story.usual.ban(ALICE, EVE, { id: 'ban', depth: 20 });
    expect(sha1('$ban') < sha1('$out')).to.equal(true);
    expect(story.standing([out, ban], 'm.room.member', EVE)).to.equal('$ban');
  });

  it('of topics that nobody may set the least deep counts', () => {
    const story = tellStory('1');
    const one = story.usual.topic(EVE, 'one', { id: 'one', depth: 20, isForced: true });
    const two = story.usual.topic(DAVE, 'two', { id: 'two', depth: 21, isForced: true });
    expect(story.standing([one, two], 'm.room.topic')).to.equal('$one');
    expect(story.standing([two, one], 'm.room.topic')).to.equal('$one');
  });

  it('the oldest levels count, and each later ones that are allowed after them, up to the first that are not', () => {
    const story = tellStory('1');
    const first = story.usual.levels(ALICE, { [BOB]: 50, [CAROL]: 10 }, { id: 'first', depth: 20 });
    const second = story.usual.levels(BOB, { [BOB]: 50, [CAROL]: 20 }, { id: 'second', depth: 21 });
    expect(story.standing([second, first], 'm.room.power_levels')).to.equal('$second');
    const broken = story.usual.levels(EVE, { [EVE]: 100 }, { id: 'broken', depth: 22, isForced: true });
    const after = story.usual.levels(ALICE, {}, { id: 'after', depth: 23 });
    expect(story.standing([after, broken, second, first], 'm.room.power_levels')).to.equal('$second');
  });

  it('the first of a line counts unasked', () => {
    const story = tellStory('1');
    const unasked = story.usual.levels(EVE, { [EVE]: 100 }, { id: 'unasked', depth: 2, isForced: true });
    const before = story.usual.levels(DAVE, { [DAVE]: 100 }, { id: 'other', depth: 3, isForced: true });
    expect(story.standing([before, unasked], 'm.room.power_levels')).to.equal('$unasked');
  });

  it('levels are settled before join rules, these before memberships, these before the rest', () => {
    const story = tellStory('1');
    const open = story.usual.topic(BOB, 'by bob', { id: 'topic', depth: 90 });
    const demoted = story.usual
      .levels(ALICE, { [BOB]: 0 }, { id: 'demoted', depth: 20 })
      .levels(ALICE, { [BOB]: 0, [CAROL]: 5 }, { id: 'settled', depth: 21 })
      .topic(ALICE, 'by alice', { id: 'other', depth: 22 });
    expect(story.standing([open, demoted], 'm.room.power_levels')).to.equal('$settled');
    expect(story.standing([open, demoted], 'm.room.topic')).to.equal('$other');
    const ruled = story.usual.joinRule(ALICE, 'invite', { id: 'closed', depth: 20 });
    const back = story.usual.kick(ALICE, EVE, { id: 'kick', depth: 21 }).join(EVE, { id: 'back', depth: 22 });
    const out = ruled.kick(ALICE, EVE, { id: 'out', depth: 21 });
    expect(story.standing([back, out], 'm.room.join_rules')).to.equal('$closed');
    expect(story.standing([back, out], 'm.room.member', EVE), 'closed by then').to.equal('$out');
    const shut = story.usual.joinRule(ALICE, 'invite', { depth: 20 }).kick(ALICE, EVE, { depth: 21 });
    const reopened = story.usual
      .joinRule(ALICE, 'public', { id: 'reopened', depth: 21 })
      .member(EVE, EVE, 'join', { displayname: 'Eve' }, { id: 'returns', depth: 22 });
    expect(story.standing([shut, reopened], 'm.room.join_rules')).to.equal('$reopened');
    expect(story.standing([shut, reopened], 'm.room.member', EVE), 'open by then').to.equal('$returns');
    const banned = story.usual.kick(ALICE, BOB, { depth: 20 }).ban(ALICE, BOB, { id: 'ban', depth: 21 });
    const talked = story.usual.topic(BOB, 'no', { id: 'no', depth: 99 });
    const quiet = banned.topic(ALICE, 'yes', { id: 'yes', depth: 22 });
    expect(story.standing([talked, quiet], 'm.room.member', BOB)).to.equal('$ban');
    expect(story.standing([talked, quiet], 'm.room.topic')).to.equal('$yes');
  });

  it('conflicts about two members do not see each other’s outcome', () => {
    const story = tellStory('1');
    const strong = story.usual.levels(ALICE, { [BOB]: 50, [CAROL]: 40, [DAVE]: 45 }, { id: 'strong' });
    const bobOut = strong
      .member(BOB, BOB, 'join', { displayname: 'b' }, { id: 'renamed', depth: 20 })
      .withState(new Map(strong.state));
    const left = strong
      .kick(ALICE, BOB, { id: 'bob out', depth: 21 })
      .kick(ALICE, EVE, { id: 'by alice', depth: 20 });
    const right = bobOut.ban(BOB, EVE, { id: 'by bob', depth: 21 });
    // Bob's own membership is disputed, so no ban of his is allowed in the same pass.
    expect(story.standing([left, right], 'm.room.member', EVE)).to.equal('$by alice');
    expect(story.standing([right, left], 'm.room.member', EVE)).to.equal('$by alice');
  });

  it('an entry that only some states have is kept unasked', () => {
    const story = tellStory('1');
    const alone = story.usual.topic(EVE, 'forced', { id: 'alone', isForced: true });
    expect(story.standing([story.usual, alone], 'm.room.topic')).to.equal('$alone');
    expect(story.standing([alone, story.usual], 'm.room.topic')).to.equal('$alone');
    const nameless = story.usual.withState(without(story.usual.state, 'm.room.create'));
    expect(story.resolve([nameless, story.usual])).to.deep.equal(story.usual.state);
  });

  it('equal states are not looked into', () => {
    const { version, roomId, usual } = tellStory('1');
    const source = createMemorySource(new Map());
    expect(resolveState({ version, roomId, states: [usual.state, usual.state], source })).to.deep.equal(
      usual.state,
    );
  });

  it('the trace tells every decision in its order', () => {
    const story = tellStory('1');
    const first = story.usual
      .levels(ALICE, { [BOB]: 0 }, { id: 'first', depth: 20 })
      .topic(ALICE, 'a', { id: 'a' });
    const second = story.usual
      .levels(ALICE, { [BOB]: 9 }, { id: 'second', depth: 21 })
      .topic(BOB, 'b', { id: 'b', depth: 99, isForced: true });
    const traces: ResolutionTrace[] = [];
    story.resolve([first, second], (trace) => traces.push(trace));
    expect(traces.length).to.equal(1);
    expect(traces[0]?.algorithm).to.equal('v1');
    expect([...(traces[0]?.conflicted.values() ?? [])].flat().toSorted()).to.deep.equal([
      '$a',
      '$b',
      '$first',
      '$second',
    ]);
    expect(
      traces[0]?.steps.map(({ eventId, pass, decision }) => [eventId, pass, decision.allowed]),
    ).to.deep.equal([
      ['$first', 'v1', true],
      ['$second', 'v1', true],
      ['$b', 'v1', false],
      ['$a', 'v1', true],
    ]);
  });
});
