import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';

/** The last one: there, and not to be disturbed; MSC3026. */
export type PresenceState = 'online' | 'offline' | 'unavailable' | 'org.matrix.msc3026.busy';

export type PresenceProtocol = StreamOwnerProtocol & {
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
  /** A device of the user syncs now, with this `set_presence`. */
  'presence.note-sync': Tell<{
    readonly userId: string;
    readonly deviceId: string;
    readonly presence: PresenceState;
  }>;
};
