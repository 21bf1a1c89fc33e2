import { expect } from 'chai';
import { mayUserSeeEvent, parseHistoryVisibility } from '../../../../src/matrix/rooms/visibility.ts';

/** For each visibility and membership: seen by who joined later, seen by who did not. */
const TABLE: readonly (readonly [string | undefined, string | null, boolean, boolean])[] = [
  ['world_readable', null, true, true],
  ['world_readable', 'ban', true, true],
  ['shared', 'join', true, true],
  ['shared', 'invite', true, false],
  ['shared', 'leave', true, false],
  ['shared', null, true, false],
  ['invited', 'join', true, true],
  ['invited', 'invite', true, true],
  ['invited', 'leave', false, false],
  ['invited', null, false, false],
  ['joined', 'join', true, true],
  ['joined', 'invite', false, false],
  ['joined', 'knock', false, false],
  ['joined', null, false, false],
  [undefined, null, true, false],
  ['unheard_of', 'leave', true, false],
];

describe('history visibility', () => {
  for (const [visibility, membership, joinedLater, notJoinedLater] of TABLE) {
    it(`${visibility ?? 'absent'} for the membership ${membership ?? 'none'}`, () => {
      const question = { historyVisibilityAtEvent: visibility, membershipAtEvent: membership };
      expect(mayUserSeeEvent({ ...question, isCurrentlyOrLaterJoined: true })).to.equal(joinedLater);
      expect(mayUserSeeEvent({ ...question, isCurrentlyOrLaterJoined: false })).to.equal(notJoinedLater);
    });
  }

  it('lets see its own change by the value before or after', () => {
    const stranger = { membershipAtEvent: null, isCurrentlyOrLaterJoined: false };
    const change = (before: string, after: string): boolean =>
      mayUserSeeEvent({ ...stranger, historyVisibilityAtEvent: before, historyVisibilityOfEvent: after });
    expect(change('world_readable', 'joined')).to.equal(true);
    expect(change('joined', 'world_readable')).to.equal(true);
    expect(change('joined', 'invited')).to.equal(false);
  });

  it("lets see the user's own membership by the one before or after", () => {
    const change = (before: string | null, after: string): boolean =>
      mayUserSeeEvent({
        historyVisibilityAtEvent: 'joined',
        membershipAtEvent: before,
        membershipOfEvent: after,
        isCurrentlyOrLaterJoined: false,
      });
    expect(change(null, 'join')).to.equal(true);
    expect(change('join', 'leave')).to.equal(true);
    expect(change('invite', 'leave')).to.equal(false);
  });

  it('is shared when it is not understood', () => {
    expect(parseHistoryVisibility('joined')).to.equal('joined');
    for (const value of [undefined, null, 5, {}, 'x'])
      expect(parseHistoryVisibility(value)).to.equal('shared');
  });
});
