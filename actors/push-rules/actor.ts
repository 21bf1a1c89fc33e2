import { readPushRules, type StoredPushRule } from '../../db/push-rules/reader.ts';
import {
  deleteRule,
  forgetRoom,
  forgetUser,
  type RuleCopy,
  storeActions,
  storeEnabled,
  storeRule,
  storeRuleCopies,
} from '../../db/push-rules/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { findSubscriberSince } from '../../db/thread-subscriptions/reader.ts';
import { defaultPushRules, rulesOfKind } from '../../src/matrix/push/default-rules.ts';
import { ruleForRoom } from '../../src/matrix/push/room-rule.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { pushRulesStream } from '../../src/streams/push-rules-stream.ts';
import { commit } from '../commit.ts';
import { defineActor } from '../environment.ts';
import { FORGOTTEN_ROWS_MAX, forgetRows } from '../forget-rows.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { PushRuleKind, PushRulesProtocol } from './protocol.ts';

type Stored = OutputOf<PushRulesProtocol, 'push-rules.set-enabled'>;
type SetEnabled = InputOf<PushRulesProtocol, 'push-rules.set-enabled'>;
type SetActions = InputOf<PushRulesProtocol, 'push-rules.set-actions'>;
type PutRule = InputOf<PushRulesProtocol, 'push-rules.put-rule'>;
type CopyRoom = InputOf<PushRulesProtocol, 'push-rules.copy-room'>;
type RuleKey = { readonly userId: string; readonly kind: PushRuleKind; readonly ruleId: string };

const MAILBOX_LIMIT = 10_000;
/** Changes of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;
/** The actions of one rule, in bytes of JSON. */
export const ACTIONS_BYTES_MAX = 65_536;

/** One rule of a user's own, in bytes of JSON. */
export const RULE_BYTES_MAX = 65_536;
/** Rules of a user's own, of all kinds. */
export const OWN_RULES_MAX = 2_000;

/** The user's own rules of one kind with a new or changed one in its place. */
function orderWith(
  stored: readonly StoredPushRule[],
  { kind, ruleId, before, after }: PutRule,
): readonly string[] | Refusal {
  const own = stored
    .filter((other) => other.kind === kind && other.rule !== null)
    .map((other) => other.ruleId);
  const beside = before ?? after;
  if (beside === null) return own.includes(ruleId) ? own : [ruleId, ...own];
  if (beside === ruleId || !own.includes(beside))
    return refuse('M_UNKNOWN', `before/after rule not found: ${beside}`);
  const others = own.filter((other) => other !== ruleId);
  const place = others.indexOf(beside) + (before === null ? 1 : 0);
  return [...others.slice(0, place), ruleId, ...others.slice(place)];
}

function checkRoom(stored: readonly StoredPushRule[], rule: PutRule, text: string): Refusal | undefined {
  if (Buffer.byteLength(text) > RULE_BYTES_MAX)
    return refuse('M_TOO_LARGE', `a push rule has at most ${RULE_BYTES_MAX} bytes`);
  const others = stored.filter(
    (other) => other.rule !== null && !(other.kind === rule.kind && other.ruleId === rule.ruleId),
  );
  return others.length < OWN_RULES_MAX
    ? undefined
    : refuse(
        'M_TOO_LARGE',
        `you have ${OWN_RULES_MAX} push rules of your own, and that is how many there may be`,
      );
}

/** Kinds whose rules may be about one room, which they are named after. */
const ROOM_KINDS: readonly string[] = ['override', 'room', 'underride'];

/** The user's own rules that are named after a room, for another room that has none of that kind yet. */
function copiesOf(
  stored: readonly StoredPushRule[],
  { userId, fromRoomId, toRoomId }: CopyRoom,
): readonly RuleCopy[] {
  const has = (kind: string, ruleId: string): boolean =>
    stored.some((other) => other.kind === kind && other.ruleId === ruleId);
  return stored.flatMap(({ kind, ruleId, rule }) => {
    if (rule === null || ruleId !== fromRoomId || !ROOM_KINDS.includes(kind) || has(kind, toRoomId))
      return [];
    const copied = ruleForRoom(JSON.parse(rule) as JsonObject, fromRoomId, toRoomId);
    return [{ userId, kind, ruleId, newRuleId: toRoomId, rule: JSON.stringify(copied) }];
  });
}

/** Owner of the push-rules stream: what users changed of the default rules, and rules of their own. */
export const pushRulesActor = defineActor<PushRulesProtocol>({
  name: 'push-rules',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key: (_message, input) => ('userId' in input ? input.userId : null),
  },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, pushRulesStream);
    const { config, db } = context.env;

    async function exists({ userId, kind, ruleId }: RuleKey): Promise<boolean> {
      const knowsThreads = (await findSubscriberSince(db, userId)) > 0;
      const defaults = rulesOfKind(defaultPushRules(userId, { knowsThreads }), kind);
      if (defaults.some((rule) => rule.rule_id === ruleId)) return true;
      const own = await readPushRules(db, userId);
      return own.some((rule) => rule.kind === kind && rule.ruleId === ruleId && rule.rule !== null);
    }

    async function write(userId: string, steps: readonly WriteStep[]): Promise<Stored> {
      const outcome = await owner.write({ count: 1, steps, rows: () => [[{ userId }]] });
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused') return refuse('M_NOT_FOUND', 'You have no such push rule of your own.');
      return { kind: 'stored', position: outcome.position ?? owner.currentToken() };
    }

    async function store(rule: RuleKey, steps: readonly WriteStep[]): Promise<Stored> {
      if (!(await exists(rule))) return refuse('M_NOT_FOUND', `there is no ${rule.kind} rule ${rule.ruleId}`);
      return write(rule.userId, steps);
    }

    const putRule = async (rule: PutRule): Promise<Stored> => {
      const { userId, kind, ruleId } = rule;
      const text = JSON.stringify(rule.rule);
      const stored = await readPushRules(db, userId);
      const order = checkRoom(stored, rule, text) ?? orderWith(stored, rule);
      if (isRefusal(order)) return order;
      return write(userId, storeRule({ userId, kind, ruleId, rule: text }, order));
    };

    const setActions = ({ actions, ...rule }: SetActions): Stored | Promise<Stored> => {
      const text = JSON.stringify(actions);
      if (Buffer.byteLength(text) > ACTIONS_BYTES_MAX)
        return refuse('M_TOO_LARGE', `actions: at most ${ACTIONS_BYTES_MAX} bytes`);
      return store(rule, storeActions(rule, text));
    };
    const setEnabled = ({ enabled, ...rule }: SetEnabled): Promise<Stored> =>
      store(rule, storeEnabled(rule, enabled));
    const copyRoom = async ({ userId, fromRoomId, toRoomId }: CopyRoom): Promise<void> => {
      const copies = copiesOf(await readPushRules(db, userId), { userId, fromRoomId, toRoomId });
      if (copies.length === 0) return;
      const steps = storeRuleCopies(copies);
      const outcome = await owner.write({ count: 1, steps, rows: () => [[{ userId }]] });
      if (outcome.kind === 'refused') throw new Error(`a push rule has no guard, yet ${outcome.refusal}`);
      if (outcome.kind === 'unavailable')
        context.log.warn('push rules did not follow to a new room', { userId, fault: outcome.fault });
    };
    return {
      handlers: {
        ...handlers,
        'push-rules.set-enabled': setEnabled,
        'push-rules.set-actions': setActions,
        'push-rules.put-rule': putRule,
        'push-rules.delete-rule': (rule) => write(rule.userId, deleteRule(rule)),
        'push-rules.copy-room': copyRoom,
        'push-rules.forget-user': async ({ userId }) => {
          const outcome = await commit(context, forgetUser(userId));
          if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
          if (outcome.kind === 'refused') throw new Error(`forgetting has no guard, yet ${outcome.refusal}`);
          context.ref('caches').tell('caches.invalidate', { facts: [{ fact: 'push-rules', userId }] });
          return { kind: 'forgotten', isMore: false };
        },
        'push-rules.forget-room': ({ roomId }) =>
          forgetRows(context, forgetRoom(roomId, FORGOTTEN_ROWS_MAX), ({ userId = '' }) => ({
            fact: 'push-rules',
            userId,
          })),
      },
    };
  },
});
