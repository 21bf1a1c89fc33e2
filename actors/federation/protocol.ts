import type { JsonObject } from '../../src/kit/json.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Tell } from '../kit/protocol.ts';

/** Something for other servers. `key` makes a newer one replace an older one that was not sent yet. */
export interface OutgoingEdu {
  readonly type: string;
  readonly content: JsonObject;
  readonly key: string | null;
}

export type FederationProtocol = StreamOwnerProtocol & {
  /** Queues an EDU for every other server in the room; a room without other servers costs nothing. */
  'federation.queue-room-edu': Tell<{ readonly roomId: string; readonly edu: OutgoingEdu }>;
  /** Queues an EDU once for every other server in any of the rooms. */
  'federation.queue-rooms-edu': Tell<{ readonly roomIds: readonly string[]; readonly edu: OutgoingEdu }>;
  /** Queues an EDU for one server. */
  'federation.queue-edu': Tell<{ readonly destination: string; readonly edu: OutgoingEdu }>;
  /** Queues an event of ours, or one that came through us, for every other server that was in the room before or after it. */
  'federation.queue-event': Tell<{
    readonly roomId: string;
    readonly eventId: string;
    /** On the events stream. */
    readonly position: number;
    /** Whoever was made to leave by it: that user's server may have nobody else in the room, and is to know. */
    readonly removedUserId?: string;
    /** Servers that are in the room and are not known to be after the event: those of a room that this server leaves with it. */
    readonly furtherHosts?: readonly string[];
    /** The server that gave it to us, for an event that came through us. */
    readonly exceptHost?: string;
    /** The one server that it is for: the others have it. */
    readonly onlyHost?: string;
  }>;
};
