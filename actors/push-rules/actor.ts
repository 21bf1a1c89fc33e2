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
type RuleKey = { readonly userId: string; readonly kind: PushRuleKind; readonly ruleId: string };

const MAILBOX_LIMIT = 10_000;
/** Changes of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;

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

    const keyOf = ({ userId, kind, ruleId }: RuleKey): RuleKey => ({ userId, kind, ruleId });
    return {
      handlers: {
        ...handlers,
        'push-rules.set-enabled': (input: InputOf<PushRulesProtocol, 'push-rules.set-enabled'>) =>
          store(keyOf(input), storeEnabled(keyOf(input), input.enabled)),
        'push-rules.set-actions': (input: InputOf<PushRulesProtocol, 'push-rules.set-actions'>) =>
          store(keyOf(input), storeActions(keyOf(input), JSON.stringify(input.actions))),
      },
    };
  },
});
