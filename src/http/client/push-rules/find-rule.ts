import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import {
  PUSH_RULE_KINDS,
  type PushRule,
  type PushRuleKind,
  rulesOfKind,
} from '../../../matrix/push/default-rules.ts';
import type { Caches } from '../../../streams/cache.ts';
import { pushRulesCache } from '../../../sync/caches/push-rules.ts';

/** A rule of a user, and its kind. */
export interface FoundRule {
  readonly kind: PushRuleKind;
  readonly rule: PushRule;
}

/**
 * One of a user's push rules.
 *
 * @param kind as the path has it
 * @returns refused with 400 M_INVALID_PARAM for an unknown kind, 404 M_NOT_FOUND for an unknown rule
 */
export async function findRule(
  services: { readonly cached: Caches },
  userId: string,
  kind: string,
  ruleId: string,
): Promise<FoundRule | Refusal> {
  const known = PUSH_RULE_KINDS.find((one) => one === kind);
  if (known === undefined)
    return refuse('M_INVALID_PARAM', 'The path names a kind of push rules that there is not.');
  const { rules } = await services.cached.get(pushRulesCache, userId);
  const rule = rulesOfKind(rules, known).find((one) => one.rule_id === ruleId);
  if (rule === undefined) return refuse('M_NOT_FOUND', 'You have no such push rule.');
  return { kind: known, rule };
}
