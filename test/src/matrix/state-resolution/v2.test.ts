import { expect } from 'chai';
import { createMemorySource } from '../../../../src/matrix/state-resolution/memory-source.ts';
import type { ResolutionTrace } from '../../../../src/matrix/state-resolution/resolution.ts';
import { resolveState } from '../../../../src/matrix/state-resolution/resolve-state.ts';
import { stateName } from '../../../../src/matrix/state-resolution/state-map.ts';
import { resolveNaively } from './oracle/resolve-naively.ts';
import { ALICE, BOB, CAROL, DAVE, EVE, tellStory, without } from './story.ts';
import type { Branch, Story } from './story.ts';

/** The trace of a resolution. */
function traceOf(story: Story, branches: readonly Branch[]): ResolutionTrace {
  const traces: ResolutionTrace[] = [];
  story.resolve(branches, (trace) => traces.push(trace));
  expect(traces.length).to.equal(1);
  return traces[0] as ResolutionTrace;
}

function stepsOf({ steps }: ResolutionTrace): readonly string[] {
  return steps.map(
    ({ eventId, pass, decision }) => `${pass} ${eventId} ${decision.allowed ? 'yes' : decision.rule}`,
  );
}

// What holds for both: the stories do not touch what 2.1 changed.
for (const id of ['2', '6', '10', '12']) {
  describe(`state resolution in room version ${id}`, () => {
    it('a ban wins over the topic that the banned member set beside it', () => {
      const story = tellStory(id);
      const before = story.usual.topic(ALICE, 'old', { id: 'old' });
      const banned = before.ban(ALICE, BOB, { id: 'ban', ts: 999 });
      const talked = before.topic(BOB, 'new', { id: 'new' });
      expect(story.standing([banned, talked], 'm.room.topic')).to.equal('$old');
      expect(story.standing([banned, talked], 'm.room.member', BOB)).to.equal('$ban');
    });

    it('a demotion wins over what the demoted moderator did beside it', () => {
      const story = tellStory(id);
      const before = story.usual.topic(ALICE, 'old', { id: 'old' });
      const demoted = before.levels(ALICE, { [BOB]: 0 }, { id: 'demotion', ts: 999 });
      const busy = before
        .topic(BOB, 'new')
        .ban(BOB, EVE, { id: 'ban' })
        .joinRule(BOB, 'invite', { id: 'rule' });
      expect(story.standing([demoted, busy], 'm.room.topic')).to.equal('$old');
      expect(story.standing([demoted, busy], 'm.room.member', EVE)).to.equal('$eve-joins');
      expect(story.standing([demoted, busy], 'm.room.join_rules')).to.equal('$public');
      expect(story.standing([demoted, busy], 'm.room.power_levels')).to.equal('$demotion');
    });

    it('of two changes of the levels the more powerful sender’s counts first, the other after it if it still may', () => {
      const story = tellStory(id);
      const byAlice = story.usual.levels(ALICE, { [BOB]: 50, [EVE]: 50 }, { id: 'alices', ts: 999 });
      const byBob = story.usual.levels(BOB, { [BOB]: 50, [CAROL]: 50 }, { id: 'bobs' });
      // Bob may not take away a level that equals his own: Eve's.
      expect(story.standing([byAlice, byBob], 'm.room.power_levels')).to.equal('$alices');
      const modest = story.usual.levels(ALICE, { [BOB]: 50, [EVE]: 10 }, { id: 'modest', ts: 999 });
      expect(story.standing([modest, byBob], 'm.room.power_levels')).to.equal('$bobs');
    });

    it('who changes the rule to invite-only shuts out who joins beside it', () => {
      const story = tellStory(id);
      const closed = story.usual.joinRule(ALICE, 'invite', { id: 'closed', ts: 999 });
      const joined = story.usual.join('@frank:f');
      expect(story.standing([closed, joined], 'm.room.member', '@frank:f')).to.equal(undefined);
      expect(story.standing([closed, joined], 'm.room.join_rules')).to.equal('$closed');
    });

    it('a kick counts before all that its target does beside it; a leave counts when it was sent', () => {
      const story = tellStory(id);
      const renamed = story.usual.member(EVE, EVE, 'join', { displayname: 'Eve' }, { id: 'renamed', ts: 50 });
      const left = story.usual.member(EVE, EVE, 'leave', {}, { id: 'left', ts: 60 });
      expect(story.standing([renamed, left], 'm.room.member', EVE)).to.equal('$left');
      const kicked = story.usual.kick(BOB, EVE, { id: 'kicked', ts: 60 });
      expect(story.standing([renamed, kicked], 'm.room.member', EVE), 'the room is public').to.equal(
        '$renamed',
      );
      const closed = story.usual.joinRule(ALICE, 'invite');
      const back = closed.member(EVE, EVE, 'join', { displayname: 'Eve' }, { id: 'back', ts: 50 });
      const out = closed.kick(BOB, EVE, { id: 'out', ts: 60 });
      expect(story.standing([back, out], 'm.room.member', EVE), 'it is not any more').to.equal('$out');
    });

    it('at the same time the greater id counts last, by code points', () => {
      const story = tellStory(id);
      const one = story.usual.topic(BOB, 'one', { id: 'b', ts: 50 });
      const two = story.usual.topic(ALICE, 'two', { id: 'a', ts: 50 });
      expect(story.standing([one, two], 'm.room.topic')).to.equal('$b');
      // U+1F600 is two UTF-16 units that are smaller than U+FF5E.
      const smiling = story.usual.topic(BOB, 'three', { id: '😀', ts: 50 });
      const waving = story.usual.topic(BOB, 'four', { id: '\uFF5E', ts: 50 });
      expect(story.standing([smiling, waving], 'm.room.topic')).to.equal('$😀');
      const rules = ['y', 'x'].map((name) =>
        story.usual.joinRule(ALICE, 'knock', { id: name, ts: 50, isForced: true }),
      );
      expect(story.standing(rules, 'm.room.join_rules'), 'power events too').to.equal('$y');
    });

    it('a sender’s power in the sort is what the event’s own levels give, disputed as they may be', () => {
      const story = tellStory(id);
      // With 100 Bob is Alice's equal (in version 12 still below), and with 50 he would not be.
      const made = story.usual
        .levels(ALICE, { [BOB]: 100, [CAROL]: 100 }, { id: 'made', ts: 20 })
        .joinRule(BOB, 'invite', { id: 'bobs', ts: 21 });
      const byCarol = story.usual
        .levels(ALICE, { [CAROL]: 100, [BOB]: 100 }, { id: 'made too', ts: 20 })
        .joinRule(CAROL, 'invite', { id: 'carols', ts: 22 });
      expect(story.standing([made, byCarol], 'm.room.join_rules')).to.equal('$carols');
      const weak = story.usual
        .levels(ALICE, { [CAROL]: 60, [BOB]: 100 }, { id: 'made differently', ts: 20 })
        .joinRule(CAROL, 'invite', { id: 'weak', ts: 1 });
      expect(story.standing([made, weak], 'm.room.join_rules'), 'sent first, less powerful').to.equal(
        '$weak',
      );
      const pass = stepsOf(traceOf(story, [made, weak])).filter((step) => /bobs|weak/.test(step));
      expect(pass).to.deep.equal(['power $bobs yes', 'power $weak yes']);
    });

    it('what was set under newer levels counts after what was set under older ones, whatever the clocks say', () => {
      const story = tellStory(id);
      const late = story.usual.topic(BOB, 'late', { id: 'late', ts: 999 });
      const newer = story.usual
        .levels(ALICE, { [BOB]: 50, [CAROL]: 50 }, { id: 'second-levels' })
        .topic(CAROL, 'early', { id: 'early', ts: 3 });
      expect(story.standing([late, newer], 'm.room.topic')).to.equal('$early');
      expect(story.standing([late, newer], 'm.room.power_levels')).to.equal('$second-levels');
    });

    it('the events of three branches meet', () => {
      const story = tellStory(id);
      const banned = story.usual.ban(ALICE, BOB, { id: 'ban' });
      const talked = story.usual.topic(BOB, 'no');
      const named = story.usual.send(ALICE, 'm.room.name', '', { name: 'yes' }, { id: 'name' });
      const result = story.resolve([talked, named, banned]);
      expect(result.get(stateName('m.room.topic', ''))).to.equal(undefined);
      expect(result.get(stateName('m.room.name', ''))).to.equal('$name');
      expect(result.get(stateName('m.room.member', BOB))).to.equal('$ban');
      expect(result.size).to.equal(story.usual.state.size + 1);
    });

    it('forty branches meet', () => {
      const story = tellStory(id);
      const branches = Array.from({ length: 40 }, (_, index) =>
        index === 35
          ? story.usual.levels(ALICE, { [BOB]: 50, [DAVE]: 10 }).levels(ALICE, { [BOB]: 0 }, { id: 'last' })
          : story.usual.topic(index % 2 === 0 ? ALICE : BOB, `${index}`, { id: `topic-${index}` }),
      );
      const states = branches.map(({ state }) => state);
      const { version, roomId, events } = story;
      const input = { version, roomId, states, source: createMemorySource(events) };
      const result = resolveState(input);
      expect(result).to.deep.equal(resolveNaively(input));
      expect(result.get(stateName('m.room.topic', ''))).to.equal('$topic-38');
      expect(traceOf(story, branches).authDifference.length).to.equal(39 + 2);
    });

    it('what forty branches have behind them is told from what thirty-five of them have', () => {
      const story = tellStory(id);
      const shared = story.usual.levels(ALICE, { [BOB]: 51 }, { id: 'shared' });
      const early = shared.levels(ALICE, { [BOB]: 52 }, { id: 'early' });
      const branches = Array.from({ length: 40 }, (_, index) =>
        (index < 35 ? early : shared).levels(ALICE, { [BOB]: 53 }, { id: `own-${index}` }),
      );
      const own = branches.map(({ tip }) => tip);
      expect(traceOf(story, branches).authDifference).to.have.members([...own, '$early']);
      expect(traceOf(story, branches.slice(0, 35)).authDifference).to.have.members(own.slice(0, 35));
      expect(traceOf(story, branches.slice(0, 31)).authDifference).to.have.members(own.slice(0, 31));
    });

    it('equal states are not looked into', () => {
      const { version, roomId, usual } = tellStory(id);
      const source = createMemorySource(new Map());
      const states = [usual.state, new Map(usual.state), usual.state];
      expect(resolveState({ version, roomId, states, source })).to.deep.equal(usual.state);
      expect(resolveState({ version, roomId, states: [usual.state], source })).to.deep.equal(usual.state);
    });

    it('a state that knows nothing, not even the create event, adds nothing and takes nothing', () => {
      const story = tellStory(id);
      const empty = story.beginning.withState(new Map());
      expect(story.resolve([empty, story.usual])).to.deep.equal(story.usual.state);
    });

    it('states without the create event are resolved by the auth events of their events', () => {
      const story = tellStory(id);
      const banned = story.usual.ban(ALICE, BOB, { id: 'ban' });
      const talked = story.usual.topic(BOB, 'no');
      const states = [banned, talked].map(({ state }) => ({ state: without(state, 'm.room.create') }));
      expect(story.standing(states, 'm.room.member', BOB)).to.equal('$ban');
      expect(story.standing(states, 'm.room.topic')).to.equal(undefined);
    });

    it('an event that was rejected authorises nothing', () => {
      const story = tellStory(id);
      const closed = story.beginning.join(ALICE).joinRule(ALICE, 'invite', { id: 'closed' });
      const opened = closed.joinRule(ALICE, 'public', { id: 'opened', isRejected: true });
      const authEvents = [...(id === '12' ? [] : [story.createId]), '$opened'];
      const joined = opened.join(DAVE, { isForced: true, authEvents });
      // Neither state has join rules, so the join stands or falls with those that it names itself.
      const states = [joined, closed].map(({ state }) => ({ state: without(state, 'm.room.join_rules') }));
      expect(story.standing(states, 'm.room.member', DAVE)).to.equal(undefined);
      const accepted = closed.joinRule(ALICE, 'public', { id: 'accepted' });
      const rejoined = accepted.join(DAVE, { id: 'rejoined' });
      const others = [rejoined, closed].map(({ state }) => ({ state: without(state, 'm.room.join_rules') }));
      expect(story.standing(others, 'm.room.member', DAVE)).to.equal('$rejoined');
    });

    it('an event that was rejected takes no place, even if it is met on the way', () => {
      const story = tellStory(id);
      const before = story.usual.levels(
        ALICE,
        { [BOB]: 50, [DAVE]: 50 },
        { id: 'rejected levels', isRejected: true },
      );
      const own = [...story.usual.state.values()].filter((eventId) => /alice-joins/.test(eventId));
      const create = id === '12' ? [] : [story.createId];
      const after = before.topic(ALICE, 'new', {
        id: 'topic',
        authEvents: [...create, '$rejected levels', ...own],
      });
      const trace = traceOf(story, [after, story.usual]);
      expect(stepsOf(trace)).to.include('power $rejected levels rejected');
      expect(story.standing([after, story.usual], 'm.room.power_levels')).to.equal('$first-levels');
    });

    it('a circle of auth events is a defect, not an endless walk', () => {
      const story = tellStory(id);
      const one = story.usual.levels(
        ALICE,
        { [BOB]: 1 },
        { id: 'one', authEvents: ['$two', '$alice-joins'] },
      );
      const two = story.usual.levels(
        ALICE,
        { [BOB]: 2 },
        { id: 'two', authEvents: ['$one', '$alice-joins'] },
      );
      expect(() => story.resolve([one, two])).to.throw('circle');
      const topics = [one.topic(ALICE, '1'), two.topic(ALICE, '2')].map(({ state }) => ({
        state: new Map(state).set(stateName('m.room.power_levels', ''), '$first-levels'),
      }));
      expect(() => story.resolve(topics)).not.to.throw();
    });
  });
}

describe('what algorithm 2 looks at', () => {
  it('levels that stood only for a while are resolved again, and the trace says so', () => {
    const story = tellStory('10');
    const changed = story.usual
      .levels(ALICE, { [BOB]: 50, [CAROL]: 50 }, { id: 'for a while' })
      .levels(ALICE, { [BOB]: 50 }, { id: 'at last' });
    const beside = story.usual.topic(BOB, 'beside', { id: 'beside' });
    const trace = traceOf(story, [changed, beside]);
    expect(trace.algorithm).to.equal('v2');
    expect([...trace.conflicted.values()].flat().toSorted()).to.deep.equal([
      '$at last',
      '$beside',
      '$first-levels',
    ]);
    expect(trace.authDifference.toSorted()).to.deep.equal(['$at last', '$beside', '$for a while']);
    expect(trace.conflictedSubgraph).to.deep.equal([]);
    expect(stepsOf(trace)).to.deep.equal([
      'power $first-levels yes',
      'power $for a while yes',
      'power $at last yes',
      'mainline $beside yes',
    ]);
  });

  it('the whole auth chain of a power event counts, also behind events that nobody disputes', () => {
    const story = tellStory('10');
    // Alice's first join is disputed; the levels that stand on it are not; Bob's ban stands on these.
    const renamed = story.usual.member(ALICE, ALICE, 'join', { displayname: 'A' }, { id: 'renamed' });
    const banned = story.usual.ban(BOB, EVE, { id: 'ban' });
    const trace = traceOf(story, [renamed, banned]);
    expect(stepsOf(trace)).to.deep.equal([
      'power $alice-joins yes',
      'power $eve-joins yes',
      'power $ban yes',
      'mainline $renamed yes',
    ]);
  });

  it('members that power events stand on are sorted with them', () => {
    const story = tellStory('10');
    const banned = story.usual
      .join('@mod:m', { id: 'mod' })
      .levels(ALICE, { '@mod:m': 50 }, { id: 'appointed' })
      .ban('@mod:m', EVE, { id: 'ban' });
    const trace = traceOf(story, [banned, story.usual]);
    expect(stepsOf(trace)).to.deep.equal([
      'power $first-levels yes',
      'power $appointed yes',
      'power $eve-joins yes',
      'power $mod yes',
      'power $ban yes',
    ]);
  });
});
