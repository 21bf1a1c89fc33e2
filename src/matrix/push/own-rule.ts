import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import { type Refusal, refuse } from '../refusal.ts';
import type { PushRuleKind } from './default-rules.ts';
import { THREAD_SUBSCRIPTION } from './condition.ts';
import { parseMemberCount } from './member-count.ts';

/** Conditions of one rule. */
export const CONDITIONS_MAX = 100;
/** Actions of one rule. */
export const ACTIONS_MAX = 20;
/** The name of a rule, in bytes. */
export const RULE_ID_BYTES_MAX = 512;

const KNOWN_ACTIONS: ReadonlySet<Json> = new Set<Json>(['notify', 'dont_notify', 'coalesce']);

function invalid(error: string): Refusal {
  return refuse('M_INVALID_PARAM', error);
}

/**
 * Looks at the actions of a rule. Actions of old versions are let through: they are stored and mean nothing.
 * Client-Server API v1.19, "Push Rules", "Actions".
 *
 * @returns a refusal (400 M_INVALID_PARAM), or undefined when they are in order
 */
export function checkActions(actions: readonly Json[]): Refusal | undefined {
  if (actions.length > ACTIONS_MAX) return invalid(`actions: at most ${ACTIONS_MAX}`);
  const wrong = actions.find(
    (action) =>
      !KNOWN_ACTIONS.has(action) && !(isJsonObject(action) && typeof action['set_tweak'] === 'string'),
  );
  return wrong === undefined
    ? undefined
    : invalid('actions: neither "notify" nor an object with "set_tweak"');
}

function isPlainValue(value: Json | undefined): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return value === null || typeof value === 'string' || typeof value === 'boolean';
}

/** What known conditions must hold. Unknown ones may be set: they never match. */
const CONDITION_CHECKS: Readonly<Record<string, (condition: JsonObject) => boolean>> = {
  event_match: ({ key, pattern }) => typeof key === 'string' && typeof pattern === 'string',
  event_property_is: ({ key, value }) => typeof key === 'string' && isPlainValue(value),
  event_property_contains: ({ key, value }) => typeof key === 'string' && isPlainValue(value),
  room_member_count: ({ is }) => typeof is === 'string' && parseMemberCount(is) !== null,
  sender_notification_permission: ({ key }) => typeof key === 'string',
  [THREAD_SUBSCRIPTION]: ({ subscribed }) => typeof subscribed === 'boolean',
};

function checkConditions(conditions: Json): Refusal | undefined {
  if (!Array.isArray(conditions)) return invalid('conditions: not a list');
  if (conditions.length > CONDITIONS_MAX) return invalid(`conditions: at most ${CONDITIONS_MAX}`);
  for (const condition of conditions as readonly Json[]) {
    if (!isJsonObject(condition) || typeof condition['kind'] !== 'string')
      return invalid('conditions: one is not an object with a "kind"');
    const { kind } = condition;
    if (Object.hasOwn(CONDITION_CHECKS, kind) && CONDITION_CHECKS[kind]?.(condition) === false)
      return invalid(`conditions: one of kind ${kind} lacks what that kind needs`);
  }
  return undefined;
}

function checkRuleId(ruleId: string): Refusal | undefined {
  if (ruleId.startsWith('.'))
    return invalid("The name of the rule begins with a dot: those are the server's.");
  if (/[/\\]/.test(ruleId)) return invalid('The name of the rule holds a slash or a backslash.');
  if (Buffer.byteLength(ruleId) > RULE_ID_BYTES_MAX)
    return invalid(`The name of the rule has more than ${RULE_ID_BYTES_MAX} bytes.`);
  return undefined;
}

/**
 * A rule of a user's own out of what a client sent: only what rules of its kind hold.
 * Client-Server API v1.19, `PUT /pushrules/global/{kind}/{ruleId}`.
 *
 * @returns what is stored, or a refusal: 400 M_MISSING_PARAM, M_INVALID_PARAM
 */
export function parseOwnRule(kind: PushRuleKind, ruleId: string, body: JsonObject): JsonObject | Refusal {
  const { actions, conditions, pattern } = body;
  if (kind === 'postcontent') return invalid("The path names a kind of push rules that are the server's.");
  const wrongId = checkRuleId(ruleId);
  if (wrongId !== undefined) return wrongId;
  if (actions === undefined) return refuse('M_MISSING_PARAM', 'actions: missing');
  if (!Array.isArray(actions)) return invalid('actions: not a list');
  const wrongActions = checkActions(actions as readonly Json[]);
  if (wrongActions !== undefined) return wrongActions;
  if (kind === 'content') {
    if (pattern === undefined) return refuse('M_MISSING_PARAM', 'pattern: a content rule has one');
    return typeof pattern === 'string' ? { actions, pattern } : invalid('pattern: not a text');
  }
  if (kind === 'room' || kind === 'sender') return { actions };
  const wrongConditions = checkConditions(conditions ?? []);
  return wrongConditions ?? { actions, conditions: conditions ?? [] };
}
