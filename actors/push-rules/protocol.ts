import type { Json, JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';
import type { Forgotten } from '../rooms/protocol.ts';

export type PushRuleKind = 'override' | 'underride' | 'sender' | 'room' | 'content' | 'postcontent';

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
  /**
   * Adds a rule of the user's own, switched on, or changes what one does: that one stays as it is switched, and in its place unless another is
   * named. A new one comes before all others of its kind unless a place is named. Refused with 400 M_UNKNOWN when there is no rule to stand
   * before or after, 413 M_TOO_LARGE.
   */
  'push-rules.put-rule': Ask<
    {
      readonly userId: string;
      readonly kind: PushRuleKind;
      readonly ruleId: string;
      /** Its `actions`, and `conditions` or `pattern`, as they are stored. */
      readonly rule: JsonObject;
      /** The user's own rule that it is to stand right before; wins over `after`. */
      readonly before: string | null;
      readonly after: string | null;
    },
    PushRulesStored | Refusal
  >;
  /** Deletes a rule of the user's own. Refused with M_NOT_FOUND. */
  'push-rules.delete-rule': Ask<
    { readonly userId: string; readonly kind: PushRuleKind; readonly ruleId: string },
    PushRulesStored | Refusal
  >;
  /** Deletes what a user who is erased has changed of the rules. */
  'push-rules.forget-user': Ask<
    { readonly userId: string },
    { readonly kind: 'forgotten'; readonly isMore: false } | Refusal
  >;
  /** Deletes some rules that are named after a room that is deleted, of all users. Asked again until there are no more. */
  'push-rules.forget-room': Ask<{ readonly roomId: string }, Forgotten | Refusal>;
  /**
   * A user's own rules for a room hold in the room that replaces it, too. Rules that the user has for the new room stay as they are, so that
   * it may be told twice.
   */
  'push-rules.copy-room': Tell<{
    readonly userId: string;
    readonly fromRoomId: string;
    readonly toRoomId: string;
  }>;
};
