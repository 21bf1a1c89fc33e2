import { readPushRules } from '../../db/push-rules/reader.ts';
import { storeActions, storeEnabled } from '../../db/push-rules/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { defaultPushRules } from '../../src/matrix/push/default-rules.ts';
import { refuse } from '../../src/matrix/refusal.ts';
import { pushRulesStream } from '../../src/streams/push-rules-stream.ts';
import { defineActor } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { PushRuleKind, PushRulesProtocol } from './protocol.ts';

type Stored = OutputOf<PushRulesProtocol, 'push-rules.set-enabled'>;
type SetEnabled = InputOf<PushRulesProtocol, 'push-rules.set-enabled'>;
type SetActions = InputOf<PushRulesProtocol, 'push-rules.set-actions'>;
type RuleKey = { readonly userId: string; readonly kind: PushRuleKind; readonly ruleId: string };

const MAILBOX_LIMIT = 10_000;
/** Changes of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;
/** The actions of one rule, in bytes of JSON. */
export const ACTIONS_BYTES_MAX = 65_536;

/** Owner of the push-rules stream: what users changed of the default rules, and rules of their own. */
export const pushRulesActor = defineActor<PushRulesProtocol>({
  name: 'push-rules',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key: (message, input) => (message.startsWith('push-rules.') ? (input as RuleKey).userId : null),
  },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, pushRulesStream);
    const { config, db } = context.env;

    async function exists({ userId, kind, ruleId }: RuleKey): Promise<boolean> {
      if (defaultPushRules(userId)[kind].some((rule) => rule.rule_id === ruleId)) return true;
      const own = await readPushRules(db, userId);
      return own.some((rule) => rule.kind === kind && rule.ruleId === ruleId && rule.rule !== null);
    }

    async function store(rule: RuleKey, steps: readonly WriteStep[]): Promise<Stored> {
      if (!(await exists(rule))) return refuse('M_NOT_FOUND', `there is no ${rule.kind} rule ${rule.ruleId}`);
      const { userId } = rule;
      const outcome = await owner.write({ count: 1, steps, rows: () => [[{ userId }]] });
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused') throw new Error(`a push rule has no guard, yet ${outcome.refusal}`);
      return { kind: 'stored', position: outcome.position ?? owner.currentToken() };
    }

    const setActions = ({ actions, ...rule }: SetActions): Stored | Promise<Stored> => {
      const text = JSON.stringify(actions);
      if (Buffer.byteLength(text) > ACTIONS_BYTES_MAX)
        return refuse('M_TOO_LARGE', `actions: at most ${ACTIONS_BYTES_MAX} bytes`);
      return store(rule, storeActions(rule, text));
    };
    const setEnabled = ({ enabled, ...rule }: SetEnabled): Promise<Stored> =>
      store(rule, storeEnabled(rule, enabled));
    return {
      handlers: { ...handlers, 'push-rules.set-enabled': setEnabled, 'push-rules.set-actions': setActions },
    };
  },
});
