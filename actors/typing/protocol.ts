import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';

export type TypingProtocol = StreamOwnerProtocol & {
  /** A local user types or stops. The caller has checked that the user is in the room. */
  'typing.set-typing': Ask<
    {
      readonly roomId: string;
      readonly userId: string;
      readonly isTyping: boolean;
      /** How long it counts when it is not renewed, in milliseconds; bounded by the actor. */
      readonly timeoutMs: number;
    },
    { readonly epoch: number; readonly position: number }
  >;
  /** The user is no longer in the room: clears the user's typing there. */
  'typing.clear-user': Tell<{ readonly roomId: string; readonly userId: string }>;
  /** A remote server says who of its users types: ignored unless the user's domain is `origin` and origin is in the room. */
  'typing.receive-remote': Tell<{
    readonly origin: string;
    readonly roomId: string;
    readonly userId: string;
    readonly isTyping: boolean;
  }>;
  /** The room is gone. */
  'typing.prune-room': Tell<{ readonly roomId: string }>;
};
