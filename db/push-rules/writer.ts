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

/** The step that switches a rule, at the first position of its write set. */
export function storeEnabled(rule: RuleKey, enabled: boolean): WriteStep[] {
  return [step(upsertEnabled, { ...rule, enabled: enabled ? 1 : 0 }, { positionOffset: 0 })];
}

/** The step that replaces a rule's actions (JSON text), at the first position of its write set. */
export function storeActions(rule: RuleKey, actions: string): WriteStep[] {
  return [step(upsertActions, { ...rule, actions }, { positionOffset: 0 })];
}
