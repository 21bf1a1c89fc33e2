import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import {
  bodyMatches,
  compileCondition,
  type Condition,
  type EventFacts,
  fieldIs,
  type PushUser,
  SELF,
} from './condition.ts';
import {
  PUSH_RULE_KINDS,
  type PushRule,
  type PushRuleKind,
  type PushRuleset,
  rulesOfKind,
} from './default-rules.ts';

/** What the rule that matched first asks for. */
export interface PushOutcome {
  readonly notify: boolean;
  readonly highlight: boolean;
  /** What is known of the rule's actions, in its order. */
  readonly actions: readonly Json[];
}

interface CompiledRule {
  readonly conditions: readonly Condition[];
  readonly outcome: PushOutcome;
}

/** Rules of all users whose rules are equal but for their own user ids. */
export interface CompiledRules {
  readonly rules: readonly CompiledRule[];
  /** A rule looks at display names. */
  readonly needsDisplayName: boolean;
  /** Conditions that hold for users whom an event names otherwise than for the rest. */
  readonly naming: readonly Condition[];
}

const NO_MATCH: PushOutcome = { notify: false, highlight: false, actions: [] };

function isHighlight(action: Json): boolean {
  return isJsonObject(action) && action['set_tweak'] === 'highlight' && action['value'] !== false;
}

function isKnownAction(action: Json): boolean {
  return action === 'notify' || (isJsonObject(action) && typeof action['set_tweak'] === 'string');
}

/**
 * What actions ask for. What is not known, or of old versions, means nothing; `highlight` without a value is true.
 * Client-Server API v1.19, "Push Rules", "Actions".
 */
export function outcomeOf(actions: readonly Json[]): PushOutcome {
  const known = actions.filter(isKnownAction);
  const notify = known.includes('notify');
  return { notify, highlight: notify && known.some(isHighlight), actions: known };
}

/** May a user id stand for itself in patterns? One with `*` or `?` in it matches others, too. */
function isLiteral(userId: string): boolean {
  return !/[*?]/.test(userId);
}

function sharedCondition(condition: JsonObject, userId: string): JsonObject {
  const { kind, key, pattern, value } = condition;
  if (kind === 'event_match' && pattern === userId && key !== 'content.body' && isLiteral(userId))
    return { ...condition, pattern: SELF };
  if ((kind === 'event_property_is' || kind === 'event_property_contains') && value === userId)
    return { ...condition, value: SELF };
  return condition;
}

/** A text that is the same for users whose enabled rules are equal but for their own user ids; {@link compileRules} takes it. */
export function shapeOfRules(rules: PushRuleset, userId: string): string {
  const shape = PUSH_RULE_KINDS.map((kind) =>
    rulesOfKind(rules, kind)
      .filter((rule) => rule.enabled)
      .map(({ rule_id: ruleId, actions, conditions, pattern }) => ({
        // The name of other rules means nothing.
        ...((kind === 'room' || kind === 'sender') && { rule_id: ruleId }),
        actions,
        ...(conditions !== undefined && {
          conditions: conditions.map((condition) => sharedCondition(condition, userId)),
        }),
        ...(pattern !== undefined && { pattern }),
      })),
  );
  return JSON.stringify(shape);
}

function conditionsOf(kind: PushRuleKind, rule: Partial<PushRule>): readonly Condition[] {
  const { rule_id: ruleId = '', conditions = [], pattern = '' } = rule;
  if (kind === 'content') return [bodyMatches(pattern)];
  if (kind === 'room') return [fieldIs('room_id', ruleId)];
  if (kind === 'sender') return [fieldIs('sender', ruleId)];
  return conditions.map(compileCondition);
}

/**
 * Compiles rules for all users who share them.
 *
 * @param shape as {@link shapeOfRules} gives it
 */
export function compileRules(shape: string): CompiledRules {
  const parsed = JSON.parse(shape) as readonly (readonly Partial<PushRule>[])[];
  const rules = PUSH_RULE_KINDS.flatMap((kind, index) =>
    (parsed[index] ?? []).map((rule) => ({
      conditions: conditionsOf(kind, rule),
      outcome: outcomeOf(rule.actions ?? []),
    })),
  );
  const conditions = rules.flatMap((rule) => rule.conditions);
  return {
    rules,
    needsDisplayName: conditions.some(({ differsFor }) => differsFor === 'everybody'),
    naming: conditions.filter(({ differsFor }) => differsFor === 'named'),
  };
}

/** What a user's rules say about an event: the first rule all of whose conditions hold. */
export function evaluate(compiled: CompiledRules, facts: EventFacts, user: PushUser): PushOutcome {
  const match = compiled.rules.find(({ conditions }) =>
    conditions.every((condition) => condition.holds(facts, user)),
  );
  return match?.outcome ?? NO_MATCH;
}

/** Nobody: what holds for it holds for all whom the event does not name. */
const SOMEBODY: PushUser = { userId: '', displayName: null };

interface Verdict {
  readonly outcome: PushOutcome;
  readonly named: ReadonlySet<string>;
}

/**
 * Evaluates one event for many users: each set of rules once, and again only for users whom the event names or whose display names count.
 *
 * @returns a function that gives each user's outcome
 */
export function evaluateForMany(facts: EventFacts): (compiled: CompiledRules, user: PushUser) => PushOutcome {
  const verdicts = new Map<CompiledRules, Verdict>();
  const verdictOf = (compiled: CompiledRules): Verdict => {
    let verdict = verdicts.get(compiled);
    if (verdict === undefined) {
      const named = new Set(compiled.naming.flatMap((condition) => condition.named(facts)));
      verdict = { outcome: evaluate(compiled, facts, SOMEBODY), named };
      verdicts.set(compiled, verdict);
    }
    return verdict;
  };
  return (compiled, user) => {
    if (compiled.needsDisplayName) return evaluate(compiled, facts, user);
    const { outcome, named } = verdictOf(compiled);
    const isNamed = named.size > 0 && named.has(user.userId.toLowerCase());
    return isNamed ? evaluate(compiled, facts, user) : outcome;
  };
}
