import { pushRulesOfUser, readPushRules, type StoredPushRule } from '../../../db/push-rules/reader.ts';
import { findSubscriberSince, subscriberSince } from '../../../db/thread-subscriptions/reader.ts';
import { findPushRulesPosition, findPushRulesPositionQuery } from '../../../db/push-rules/sync-reader.ts';
import type { Json, JsonObject } from '../../kit/json.ts';
import {
  applyUserChanges,
  defaultPushRules,
  PUSH_RULE_KINDS,
  type PushRuleChange,
  type PushRuleset,
} from '../../matrix/push/default-rules.ts';
import { defineCache } from '../../streams/cache.ts';

/** A user's push rules as clients get them. */
export interface UserPushRules {
  readonly rules: PushRuleset;
  /** The text `{"global":{…}}`. */
  readonly text: string;
  /** The last change, on the push-rules stream; 0 without any. */
  readonly position: number;
  /** When the rules for threads came to them, on the thread-subscriptions stream; 0: they know no threads. */
  readonly threadsSince: number;
}

const PUSH_RULES_USERS_MAX = 2_000;

/** A stored change as the rules take it; null for one of a kind that there is not. */
export function toPushRuleChange(stored: StoredPushRule, priority: number): PushRuleChange | null {
  const kind = PUSH_RULE_KINDS.find((known) => known === stored.kind);
  if (kind === undefined) return null;
  return {
    kind,
    ruleId: stored.ruleId,
    rule: stored.rule === null ? null : (JSON.parse(stored.rule) as JsonObject),
    enabled: stored.enabled === null ? null : stored.enabled === 1,
    actions: stored.actions === null ? null : (JSON.parse(stored.actions) as readonly Json[]),
    priority,
  };
}

/** Push rules by user id: the default ones and what the user changed. */
export const pushRulesCache = defineCache<string, UserPushRules>({
  name: 'push-rules',
  sizeMax: PUSH_RULES_USERS_MAX,
  async load(db, userId) {
    const position = await findPushRulesPosition(db, userId);
    const threadsSince = await findSubscriberSince(db, userId);
    const changes = (await readPushRules(db, userId)).map(toPushRuleChange);
    const rules = applyUserChanges(
      defaultPushRules(userId, { knowsThreads: threadsSince > 0 }),
      changes.filter((change) => change !== null),
    );
    return { rules, text: JSON.stringify({ global: rules }), position, threadsSince };
  },
  reads: [findPushRulesPositionQuery, pushRulesOfUser, subscriberSince],
  dependsOn: {
    'push-rules': (fact) => [fact.userId],
    'thread-subscription': (fact) => [fact.userId],
  },
});
