import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol, StreamSubscriberProtocol } from '../../src/streams/message.ts';
import type { Ask } from '../kit/protocol.ts';
import type { Forgotten } from '../rooms/protocol.ts';

/** What names a pusher. */
export interface PusherName {
  readonly userId: string;
  readonly appId: string;
  readonly pushkey: string;
}

/** A pusher as its user sets it. */
export interface NewPusher extends PusherName {
  readonly kind: 'http';
  readonly appDisplayName: string;
  readonly deviceDisplayName: string;
  readonly profileTag: string | null;
  readonly lang: string;
  /** JSON, as the client gave it. */
  readonly data: string;
  readonly isEnabled: boolean;
  readonly deviceId: string;
}

/** How a pusher's gateway took what it was sent. */
export interface PusherDelivery extends PusherName {
  /** Up to where of the events stream the gateway knows. */
  readonly place: number;
  /** The unread count that it was told last; null: none. */
  readonly badge: number | null;
  /** Milliseconds since the Unix epoch. */
  readonly reachedTs: number | null;
  readonly failingSinceTs: number | null;
}

export interface PushStored {
  readonly kind: 'stored';
}

/** The owner of notifications and pushers. It is told the positions of the events stream and reads the events itself. */
export type PushProtocol = StreamOwnerProtocol &
  StreamSubscriberProtocol & {
    /**
     * Stores a pusher, or changes it. With `isOnly` no other user keeps one of its app and key.
     * Refused with 400 M_INVALID_PARAM when the user has too many.
     */
    'push.set-pusher': Ask<{ readonly pusher: NewPusher; readonly isOnly: boolean }, PushStored | Refusal>;
    /** Deletes a pusher, if there is one. */
    'push.delete-pusher': Ask<PusherName, PushStored | Refusal>;
    /** Deletes those of a user's pushers whose devices are gone. */
    'push.sweep-pushers': Ask<{ readonly userId: string }, PushStored | Refusal>;
    /** Stores how far a pusher is. One that was deleted meanwhile stays deleted. */
    'push.record-delivery': Ask<PusherDelivery, PushStored | Refusal>;
    /** Deletes some notifications of a room that is deleted. Asked again until there are no more. */
    'push.forget-room': Ask<{ readonly roomNid: number }, Forgotten | Refusal>;
  };
