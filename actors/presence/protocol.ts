import type { StreamOwnerProtocol, StreamSubscriberProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';

/** The last one: there, and not to be disturbed; MSC3026. */
export type PresenceState = 'online' | 'offline' | 'unavailable' | 'org.matrix.msc3026.busy';

export type PresenceProtocol = StreamOwnerProtocol &
  StreamSubscriberProtocol & {
    /** A user says what to show. */
    'presence.set-presence': Ask<
      {
        readonly userId: string;
        readonly presence: PresenceState;
        /** Null keeps none. */
        readonly statusMessage: string | null;
      },
      { readonly epoch: number; readonly position: number }
    >;
    /**
     * What another server says of one of its users. The caller has checked that the user is of that server. Ignored unless the user shares a room
     * with a local one; counts until the next word of it, or until there was none for half an hour.
     */
    'presence.receive-remote': Tell<{
      readonly userId: string;
      readonly presence: PresenceState;
      readonly statusMessage: string | null;
      readonly lastActiveAgoMs: number;
      readonly isCurrentlyActive: boolean;
    }>;
    /** A device of the user syncs now, with this `set_presence`. */
    'presence.note-sync': Tell<{
      readonly userId: string;
      readonly deviceId: string;
      readonly presence: PresenceState;
    }>;
  };
