import { expect } from 'chai';
import type { JsonObject } from '../../../../src/kit/json.ts';
import {
  applyUserChanges,
  defaultPushRules,
  PUSH_RULE_KINDS,
  rulesOfKind,
} from '../../../../src/matrix/push/default-rules.ts';
import type { PushRuleChange, PushRuleset } from '../../../../src/matrix/push/default-rules.ts';
import { readVectors } from '../vectors/read-vectors.ts';

const vectors = readVectors('push-default-rules') as { readonly global: JsonObject };
const defaults = defaultPushRules('@a:b');

function change(part: Partial<PushRuleChange> & Pick<PushRuleChange, 'kind' | 'ruleId'>): PushRuleChange {
  return { rule: null, enabled: null, actions: null, priority: 0, ...part };
}

function ids(rules: PushRuleset, kind: keyof PushRuleset): readonly string[] {
  return rulesOfKind(rules, kind).map((rule) => rule.rule_id);
}

describe('default push rules', () => {
  it('are those of the specification, in its order', () => {
    const expected = JSON.parse(
      JSON.stringify(vectors.global).replaceAll("[the user's Matrix ID]", '@a:b'),
    ) as PushRuleset;
    for (const kind of PUSH_RULE_KINDS) {
      const specified = rulesOfKind(defaults, kind).filter(
        (rule) => !rule.rule_id.startsWith('.org.matrix.'),
      );
      expect(specified).to.deep.equal(rulesOfKind(expected, kind));
    }
  });

  it('know polls before the specification does (MSC3930)', () => {
    const polls = PUSH_RULE_KINDS.flatMap((kind) =>
      rulesOfKind(defaults, kind)
        .filter((rule) => rule.rule_id.startsWith('.org.matrix.msc3930.rule.'))
        .map((rule) => [kind, rule.rule_id.slice('.org.matrix.msc3930.rule.'.length), rule.actions.length]),
    );
    expect(polls).to.deep.equal([
      ['override', 'poll_response', 0],
      ['underride', 'poll_start_one_to_one', 2],
      ['underride', 'poll_start', 1],
      ['underride', 'poll_end_one_to_one', 2],
      ['underride', 'poll_end', 1],
    ]);
  });

  it('have those of other proposals where these want them (MSC4028, MSC4075, MSC3914)', () => {
    const after = (kind: 'override' | 'underride', ruleId: string): string | undefined =>
      ids(defaults, kind)[ids(defaults, kind).indexOf(ruleId) + 1];
    expect(after('override', '.m.rule.master')).to.equal('.org.matrix.msc4028.encrypted_event');
    expect(after('override', '.org.matrix.msc4075.rule.rtc.invite_for_me')).to.equal(
      '.m.rule.is_user_mention',
    );
    expect(after('override', '.org.matrix.msc4075.rule.rtc.invite_for_room')).to.equal(
      '.m.rule.is_room_mention',
    );
    expect(after('underride', '.org.matrix.msc4075.rule.rtc.invite')).to.equal('.m.rule.call');
    expect(after('underride', '.m.rule.call')).to.equal('.org.matrix.msc3914.rule.room.call');
    const off = PUSH_RULE_KINDS.flatMap((kind) => rulesOfKind(defaults, kind)).filter(
      (rule) => !rule.enabled,
    );
    expect(off.map((rule) => rule.rule_id)).to.deep.equal([
      '.m.rule.master',
      '.org.matrix.msc4028.encrypted_event',
    ]);
  });

  it('stay as they are without changes', () => {
    expect(applyUserChanges(defaults, [])).to.deep.equal(defaults);
  });

  it('can be switched, and given other actions', () => {
    const changed = applyUserChanges(defaults, [
      change({ kind: 'override', ruleId: '.m.rule.master', enabled: true }),
      change({
        kind: 'underride',
        ruleId: '.m.rule.message',
        actions: ['notify', { set_tweak: 'highlight' }],
      }),
    ]);
    expect(changed.override[0]).to.deep.include({ rule_id: '.m.rule.master', enabled: true, actions: [] });
    const message = changed.underride.find((rule) => rule.rule_id === '.m.rule.message');
    expect(message).to.deep.include({ enabled: true, actions: ['notify', { set_tweak: 'highlight' }] });
    expect(message?.conditions).to.have.lengthOf(1);
  });

  it("come after the user's own, but for the master rule and that for encrypted events", () => {
    const conditions = [{ kind: 'event_match', key: 'type', pattern: 'x' }];
    const changed = applyUserChanges(defaults, [
      change({ kind: 'override', ruleId: 'second', rule: { actions: [], conditions }, priority: 2 }),
      change({
        kind: 'override',
        ruleId: 'first',
        rule: { actions: ['notify'] },
        priority: 1,
        enabled: false,
      }),
      change({ kind: 'content', ruleId: 'word', rule: { actions: [], pattern: 'w*d' } }),
      change({ kind: 'underride', ruleId: 'last', rule: { actions: [] } }),
    ]);
    expect(ids(changed, 'override').slice(0, 5)).to.deep.equal([
      '.m.rule.master',
      '.org.matrix.msc4028.encrypted_event',
      'first',
      'second',
      '.m.rule.suppress_notices',
    ]);
    expect(changed.override[2]).to.deep.equal({
      rule_id: 'first',
      default: false,
      enabled: false,
      actions: ['notify'],
    });
    expect(changed.override[3]).to.deep.include({ enabled: true, conditions });
    expect(changed.content).to.deep.equal([
      { rule_id: 'word', default: false, enabled: true, actions: [], pattern: 'w*d' },
    ]);
    expect(ids(changed, 'underride')[0]).to.equal('last');
  });

  it('lose actions of old versions', () => {
    const [own] = applyUserChanges(defaults, [
      change({ kind: 'room', ruleId: '!r:b', rule: { actions: ['dont_notify', 'coalesce', 'notify'] } }),
    ]).room;
    expect(own?.actions).to.deep.equal(['notify']);
  });

  it('ignore changes of rules that are gone', () => {
    const gone = change({ kind: 'override', ruleId: '.m.rule.roomnotif', enabled: false });
    expect(applyUserChanges(defaults, [gone])).to.deep.equal(defaults);
  });
});
