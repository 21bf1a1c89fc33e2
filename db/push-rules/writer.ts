import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type RuleKey = { readonly userId: string; readonly kind: string; readonly ruleId: string };

/** Switches a rule. */
export const upsertEnabled = defineQuery<RuleKey & { readonly enabled: number; readonly position: number }>({
  name: 'push-rules.upsert-enabled',
  sql: `
    INSERT INTO push_rules (user_id, kind, rule_id, enabled, stream_id)
    VALUES (:userId, :kind, :ruleId, :enabled, :position)
    ON CONFLICT (user_id, kind, rule_id) DO UPDATE SET enabled = excluded.enabled, stream_id = excluded.stream_id`,
});

/** Replaces the actions of a rule. */
export const upsertActions = defineQuery<RuleKey & { readonly actions: string; readonly position: number }>({
  name: 'push-rules.upsert-actions',
  sql: `
    INSERT INTO push_rules (user_id, kind, rule_id, actions, stream_id)
    VALUES (:userId, :kind, :ruleId, :actions, :position)
    ON CONFLICT (user_id, kind, rule_id) DO UPDATE SET actions = excluded.actions, stream_id = excluded.stream_id`,
});

type OwnRule = RuleKey & { readonly rule: string; readonly priority: number; readonly position: number };

/** Stores a rule of the user's own. One that is there stays as it is switched; its actions are those of the rule again. */
export const upsertRule = defineQuery<OwnRule>({
  name: 'push-rules.upsert-rule',
  sql: `
    INSERT INTO push_rules (user_id, kind, rule_id, rule, priority, stream_id)
    VALUES (:userId, :kind, :ruleId, :rule, :priority, :position)
    ON CONFLICT (user_id, kind, rule_id) DO UPDATE
       SET rule = excluded.rule, actions = NULL, priority = excluded.priority, stream_id = excluded.stream_id`,
});

/** Moves a rule among those of its kind. */
export const setPriority = defineQuery<RuleKey & { readonly priority: number }>({
  name: 'push-rules.set-priority',
  sql: `
    UPDATE push_rules SET priority = :priority
     WHERE user_id = :userId AND kind = :kind AND rule_id = :ruleId AND priority <> :priority`,
});

/** What is left of deleted rules of a user. */
export const deleteEmptyRules = defineQuery<{ readonly userId: string }>({
  name: 'push-rules.delete-empty',
  sql: `
    DELETE FROM push_rules
     WHERE user_id = :userId AND rule IS NULL AND enabled IS NULL AND actions IS NULL`,
});

/** Takes everything out of a rule of the user's own. Its place stays, so that the stream shows that something changed. */
export const emptyRule = defineQuery<RuleKey & { readonly position: number }>({
  name: 'push-rules.empty-rule',
  sql: `
    UPDATE push_rules SET rule = NULL, enabled = NULL, actions = NULL, stream_id = :position
     WHERE user_id = :userId AND kind = :kind AND rule_id = :ruleId AND rule IS NOT NULL`,
});

/** A rule of a user's own that is to be had under another name, too. */
export type RuleCopy = RuleKey & {
  readonly newRuleId: string;
  /** JSON text of the new rule. */
  readonly rule: string;
};

/** Copies a rule of the user's own, with its switch and its order, unless there is one of the new name. */
export const copyRule = defineQuery<RuleCopy & { readonly position: number }>({
  name: 'push-rules.copy-rule',
  sql: `
    INSERT INTO push_rules (user_id, kind, rule_id, rule, enabled, actions, priority, stream_id)
    SELECT user_id, kind, :newRuleId, :rule, enabled, actions, priority, :position
      FROM push_rules
     WHERE user_id = :userId AND kind = :kind AND rule_id = :ruleId
    ON CONFLICT (user_id, kind, rule_id) DO NOTHING`,
});

/** What a rule takes beside its texts, its index entries included, about. */
const RULE_BYTES = 40;

/** Deletes some rules that are named after a room, of whatever user. */
export const deleteRulesOfRoom = defineQuery<
  { readonly roomId: string; readonly limit: number },
  { readonly userId: string; readonly freedBytes: number }
>({
  name: 'push-rules.delete-of-room',
  sql: `
    DELETE FROM push_rules
     WHERE (user_id, kind, rule_id) IN (
       SELECT user_id, kind, rule_id FROM push_rules INDEXED BY push_rules_by_room
        WHERE kind IN ('override', 'room', 'underride') AND rule_id = :roomId LIMIT :limit)
    RETURNING user_id AS userId,
              2 * octet_length(user_id || kind || rule_id) + octet_length(coalesce(rule, '') || coalesce(actions, ''))
              + ${RULE_BYTES} AS freedBytes`,
});

/** The step that deletes at most `limit` rules of a room; one row for each of them. */
export function forgetRoom(roomId: string, limit: number): WriteStep[] {
  return [step(deleteRulesOfRoom, { roomId, limit }, { returns: true })];
}

/** Deletes what a user has changed of the rules. */
export const deleteRulesOfUser = defineQuery<{ readonly userId: string }>({
  name: 'push-rules.delete-of-user',
  sql: 'DELETE FROM push_rules WHERE user_id = :userId',
});

/** The step that deletes all rules of a user. */
export function forgetUser(userId: string): WriteStep[] {
  return [step(deleteRulesOfUser, { userId })];
}

/** The steps that copy rules, all at the first position of their write set. */
export function storeRuleCopies(copies: readonly RuleCopy[]): WriteStep[] {
  return copies.map((copy) => step(copyRule, { ...copy }, { positionOffset: 0 }));
}

/**
 * The steps that store a rule of the user's own (JSON text) at the first position of their write set.
 *
 * @param order all of the user's own rules of that kind as they are to stand, this one included
 */
export function storeRule(rule: RuleKey & { readonly rule: string }, order: readonly string[]): WriteStep[] {
  const { userId, kind } = rule;
  const others = order
    .map((ruleId, priority) => ({ userId, kind, ruleId, priority }))
    .filter(({ ruleId }) => ruleId !== rule.ruleId);
  return [
    step(upsertRule, { ...rule, priority: order.indexOf(rule.ruleId) }, { positionOffset: 0 }),
    ...others.map((other) => step(setPriority, other)),
  ];
}

/** The steps that delete a rule of the user's own: refused as `no-such-rule` when there is none. */
export function deleteRule(rule: RuleKey): WriteStep[] {
  return [
    step(deleteEmptyRules, { userId: rule.userId }),
    step(emptyRule, { ...rule }, { positionOffset: 0, expectChanges: 1, refusal: 'no-such-rule' }),
  ];
}

/** The step that switches a rule, at the first position of its write set. */
export function storeEnabled(rule: RuleKey, enabled: boolean): WriteStep[] {
  return [step(upsertEnabled, { ...rule, enabled: enabled ? 1 : 0 }, { positionOffset: 0 })];
}

/** The step that replaces a rule's actions (JSON text), at the first position of its write set. */
export function storeActions(rule: RuleKey, actions: string): WriteStep[] {
  return [step(upsertActions, { ...rule, actions }, { positionOffset: 0 })];
}
