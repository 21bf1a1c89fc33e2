import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';
import type { Forgotten } from '../rooms/protocol.ts';

/** A change of a subscription is stored, or there was nothing to change. */
export interface SubscriptionStored {
  readonly kind: 'stored';
  readonly position: number;
}

export type ThreadSubscriptionsProtocol = StreamOwnerProtocol & {
  /**
   * Subscribes a user to a thread. The caller has checked that the user may see the thread, and that the cause is in it. An automatic
   * subscription leaves one that is there as it is. Refused with 409 IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION when the user unsubscribed
   * after the cause, M_FORBIDDEN when the user has too many.
   */
  'thread-subscriptions.subscribe': Ask<
    {
      readonly userId: string;
      readonly roomId: string;
      readonly rootId: string;
      /** Of the event for which a client subscribes its user, on the events stream; null: the user has said so. */
      readonly causePlace: number | null;
    },
    SubscriptionStored | Refusal
  >;
  /** Ends a subscription, if there is one: events of the thread up to now do not bring it back by themselves. */
  'thread-subscriptions.unsubscribe': Ask<
    { readonly userId: string; readonly roomId: string; readonly rootId: string },
    SubscriptionStored | Refusal
  >;
  /** A user has forgotten a room, the threads that the user has subscribed to included. */
  'thread-subscriptions.forget-room-of-user': Tell<{ readonly userId: string; readonly roomId: string }>;
  /** Deletes some subscriptions of a user who has gone for ever. Asked again until there are no more. */
  'thread-subscriptions.forget-user': Ask<{ readonly userId: string }, Forgotten | Refusal>;
  /** Deletes some subscriptions of a room that is deleted, of all users. Asked again until there are no more. */
  'thread-subscriptions.forget-room': Ask<{ readonly roomId: string }, Forgotten | Refusal>;
};
