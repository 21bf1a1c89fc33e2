import type { Fact } from '../../src/streams/fact.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Tell } from '../kit/protocol.ts';

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
};
