import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What a user changed of a default rule, or a rule of the user's own. */
export interface StoredPushRule {
  readonly kind: string;
  readonly ruleId: string;
  /** JSON text of the user's own rule; null for a change of a default rule. */
  readonly rule: string | null;
  /** 0 or 1; null where the default holds. */
  readonly enabled: number | null;
  /** JSON text; null where the default holds. */
  readonly actions: string | null;
}

/** A user's rules and changes, own rules in their order. */
export const pushRulesOfUser = defineQuery<{ readonly userId: string }, StoredPushRule>({
  name: 'push-rules.read-of-user',
  sql: `
    SELECT kind, rule_id AS ruleId, rule, enabled, actions
      FROM push_rules
     WHERE user_id = :userId
     ORDER BY kind, priority, rule_id`,
});

/** A user's rules and changes to the default rules. */
export function readPushRules(db: ReadDb, userId: string): Promise<StoredPushRule[]> {
  return db.all(pushRulesOfUser, { userId });
}
