import { expect } from 'chai';
import { stateName } from '../../../../src/matrix/state-resolution/state-map.ts';
import { ALICE, BOB, EVE, tellStory } from './story.ts';
import type { Branch, Story } from './story.ts';

const DEPTH = 10_000;
/** Linear work takes half a second on a quiet machine, and quadratic work minutes on any. */
const LIMIT_MS = 25_000;

/** A line of so many changes of the levels, each standing on the one before. */
function changeLevels(story: Story, from: Branch, count: number, name: string): Branch {
  let branch = from;
  for (let index = 0; index < count; index += 1) {
    const authEvents = [...branch.state.values()].filter((eventId) => eventId === '$alice-joins');
    const levels = branch.state.get(stateName('m.room.power_levels', '')) ?? '';
    const create = story.version.createInAuthEvents ? [story.createId] : [];
    branch = branch
      .levels(
        ALICE,
        { [BOB]: 50 + (index % 2) },
        { id: `${name}-${index}`, authEvents: [...create, ...authEvents, levels] },
      )
      .withState(branch.state);
    branch = branch.withState(
      new Map(branch.state).set(stateName('m.room.power_levels', ''), `$${name}-${index}`),
    );
  }
  return branch;
}

for (const id of ['10', '12']) {
  describe(`auth chains of ${DEPTH} events in room version ${id}`, () => {
    it('are walked when nobody disputes the levels', function () {
      this.timeout(LIMIT_MS);
      const story = tellStory(id);
      const room = changeLevels(story, story.usual, DEPTH, 'levels');
      const early = story.usual.topic(BOB, 'early', { id: 'early' });
      const old = room.withState(new Map(room.state).set(stateName('m.room.topic', ''), '$early'));
      const late = room.topic(BOB, 'late', { id: 'late', ts: 2 });
      expect(early.state.size).to.equal(room.state.size + 1);
      // Version 12 starts from nothing, so it has no mainline here: the clocks decide.
      expect(story.standing([old, late], 'm.room.topic')).to.equal(id === '12' ? '$early' : '$late');
    });

    it('are resolved when they are disputed from their beginning', function () {
      this.timeout(LIMIT_MS);
      const story = tellStory(id);
      const room = changeLevels(story, story.usual, DEPTH, 'levels').topic(BOB, 'new', { id: 'new', ts: 2 });
      const behind = story.usual.ban(BOB, EVE, { id: 'ban' }).topic(BOB, 'old', { id: 'old', ts: 9_999_999 });
      const result = story.resolve([behind, room]);
      expect(result.get(stateName('m.room.power_levels', ''))).to.equal(`$levels-${DEPTH - 1}`);
      expect(result.get(stateName('m.room.topic', '')), 'by the mainline').to.equal('$new');
      expect(result.get(stateName('m.room.member', EVE))).to.equal('$ban');
    });

    it('are walked once, however many events stand on a side line', function () {
      this.timeout(LIMIT_MS);
      const story = tellStory(id);
      const side = changeLevels(story, story.usual, DEPTH, 'side');
      let many = side;
      for (let index = 0; index < 2_000; index += 1) {
        many = many.send(ALICE, 'm.room.custom', `${index}`, {}, { id: `custom-${index}` });
      }
      const main = story.usual.levels(ALICE, { [BOB]: 50 }, { id: 'main', ts: 9_999_999 });
      const result = story.resolve([many, main]);
      expect(result.get(stateName('m.room.power_levels', ''))).to.equal('$main');
      expect(result.get(stateName('m.room.custom', '1999'))).to.equal('$custom-1999');
    });
  });
}
