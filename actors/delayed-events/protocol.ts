import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamSubscriberProtocol } from '../../src/streams/message.ts';
import type { Ask } from '../kit/protocol.ts';
import type { EventProposal, Forgotten } from '../rooms/protocol.ts';

/** What whoever knows a delay id may do. MSC4140, "Managing scheduled delayed events". */
export type DelayedAction = 'send' | 'cancel' | 'restart';

/** The owner of events that are sent later. It follows the events stream. MSC4140. */
export type DelayedEventsProtocol = StreamSubscriberProtocol & {
  /**
   * Schedules an event. The caller has checked that the delay is positive and not too long. The same transaction again gives the same id.
   * Refused with M_FORBIDDEN when none may be scheduled at all, M_TOO_LARGE, M_LIMIT_EXCEEDED (with `retry_after_ms`).
   */
  'delayed-events.schedule': Ask<
    {
      readonly userId: string;
      readonly deviceId: string;
      readonly roomId: string;
      readonly event: EventProposal;
      readonly delayMs: number;
      /** `path`: the endpoint's without the transaction id. Null: each time is another one. */
      readonly transaction: { readonly path: string; readonly txnId: string } | null;
    },
    { readonly kind: 'scheduled'; readonly delayId: string } | Refusal
  >;
  /**
   * Sends a scheduled event now, cancels it, or lets its delay begin again. What is finalised in that way already is answered alike.
   * Refused with M_NOT_FOUND, M_UNKNOWN (409: finalised otherwise), and when it is to be sent with whatever keeps it from that: then it stays
   * scheduled.
   */
  'delayed-events.manage': Ask<
    { readonly delayId: string; readonly action: DelayedAction },
    /** `position`: of the event on the events stream; null where none was sent now. */
    { readonly kind: 'done'; readonly position: number | null } | Refusal
  >;
  /** Deletes some of what a user has scheduled, and what is remembered of it. */
  'delayed-events.forget-user': Ask<
    { readonly userId: string },
    { readonly kind: 'forgotten'; readonly isMore: boolean } | Refusal
  >;
  /** Deletes some of what is for a deleted room. */
  'delayed-events.forget-room': Ask<{ readonly roomId: string }, Forgotten | Refusal>;
};
