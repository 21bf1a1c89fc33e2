import { LRUCache } from 'lru-cache';
import { findAccountData, oneEvent } from '../../../db/account-data/reader.ts';
import { pushRulesOfUser, readPushRules } from '../../../db/push-rules/reader.ts';
import { findSubscriberSince, subscriberSince } from '../../../db/thread-subscriptions/reader.ts';
import { isJsonObject } from '../../kit/json.ts';
import { applyUserChanges, defaultPushRules } from '../../matrix/push/default-rules.ts';
import { type CompiledRules, compileRules, shapeOfRules } from '../../matrix/push/evaluator.ts';
import { defineCache } from '../../streams/cache.ts';
import { IGNORED_USERS_TYPE, ignoredUsersOf } from '../caches/ignored-users.ts';
import { toPushRuleChange } from '../caches/push-rules.ts';

/** What decides what a user is notified of, beside the event and its room. */
export interface PushProfile {
  /** The same object for all users whose rules are equal. */
  readonly rules: CompiledRules;
  /** Whose events the user does not want to see; null for nobody's. */
  readonly ignored: ReadonlySet<string> | null;
}

const PROFILES_MAX = 100_000;
/** Different sets of rules that are kept compiled on a thread. */
const SHAPES_MAX = 2_000;

const compiledByShape = new LRUCache<string, CompiledRules>({ max: SHAPES_MAX });

/** Rules, compiled once for all users who share them. */
function compileShape(shape: string): CompiledRules {
  let compiled = compiledByShape.get(shape);
  if (compiled === undefined) {
    compiled = compileRules(shape);
    compiledByShape.set(shape, compiled);
  }
  return compiled;
}

/** Of whoever has changed nothing: the user id is not in it. */
const DEFAULT_SHAPE = shapeOfRules(defaultPushRules('@'), '@');
/** One object for all whose rules and ignored users are the default. */
let defaultProfile: PushProfile | null = null;

function profileByDefault(): PushProfile {
  defaultProfile ??= { rules: compileShape(DEFAULT_SHAPE), ignored: null };
  return defaultProfile;
}

function ignoredOf(content: string): ReadonlySet<string> | null {
  const parsed: unknown = JSON.parse(content);
  const users = ignoredUsersOf(isJsonObject(parsed) ? parsed : undefined);
  return users.size === 0 ? null : users;
}

/** What decides what a user is notified of, by user id. Small, so that those of all local users of large rooms are kept. */
export const pushProfileCache = defineCache<string, PushProfile>({
  name: 'push-profiles',
  sizeMax: PROFILES_MAX,
  size: ({ ignored }) => 1 + (ignored?.size ?? 0),
  async load(db, userId) {
    const stored = await readPushRules(db, userId);
    const ignoredUsers = await findAccountData(db, userId, null, IGNORED_USERS_TYPE);
    const ignored = ignoredUsers === undefined ? null : ignoredOf(ignoredUsers.content);
    const knowsThreads = (await findSubscriberSince(db, userId)) > 0;
    if (stored.length === 0 && ignored === null && !knowsThreads) return profileByDefault();
    const changes = stored.map(toPushRuleChange).filter((change) => change !== null);
    const rules = applyUserChanges(defaultPushRules(userId, { knowsThreads }), changes);
    return { rules: compileShape(shapeOfRules(rules, userId)), ignored };
  },
  reads: [pushRulesOfUser, oneEvent, subscriberSince],
  dependsOn: {
    'push-rules': (fact) => [fact.userId],
    'thread-subscription': (fact) => [fact.userId],
    'account-data': (fact) => (fact.roomId === null && fact.type === IGNORED_USERS_TYPE ? [fact.userId] : []),
  },
});
