import type { Json } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask } from '../kit/protocol.ts';

export type PushRuleKind = 'override' | 'underride' | 'sender' | 'room' | 'content';

export interface PushRulesStored {
  readonly kind: 'stored';
  readonly position: number;
}

export type PushRulesProtocol = StreamOwnerProtocol & {
  /** Switches a rule, a default one or the user's own. Refused with M_NOT_FOUND. */
  'push-rules.set-enabled': Ask<
    {
      readonly userId: string;
      readonly kind: PushRuleKind;
      readonly ruleId: string;
      readonly enabled: boolean;
    },
    PushRulesStored | Refusal
  >;
  /** Replaces the actions of a rule, a default one or the user's own. Refused with M_NOT_FOUND. */
  'push-rules.set-actions': Ask<
    {
      readonly userId: string;
      readonly kind: PushRuleKind;
      readonly ruleId: string;
      readonly actions: readonly Json[];
    },
    PushRulesStored | Refusal
  >;
};
