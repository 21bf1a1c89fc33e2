import type { Fact } from '../../src/streams/fact.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';

export type CachesProtocol = StreamOwnerProtocol & {
  /**
   * Current state of a room changed by one committed write. Told after the commit; what stands in the mailbox at one moment becomes one poke
   * per room.
   */
  'caches.room-changed': Tell<{
    readonly roomId: string;
    /** How many cache entries this change makes untrue: what the coalescing ratio counts. */
    readonly invalidations: number;
    /** Users whose membership changed. */
    readonly members: readonly string[];
  }>;
  /** Facts that no other stream's rows imply. Told after the commit. */
  'caches.invalidate': Tell<{ readonly facts: readonly Fact[] }>;
  /** Of the actor to itself: what stood in the mailbox before this goes out now. */
  'caches.flush-pokes': Tell<null>;
  /**
   * The same, answered with the position of the poke that carries the facts: who waits until its view has reached it
   * knows that its caches do not say otherwise any more. For revocations.
   */
  'caches.publish': Ask<{ readonly facts: readonly Fact[] }, { readonly position: number }>;
};
