import type { StateGroupChange } from '../../db/rooms/state-group-writer.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type {
  DifferenceQuestion,
  StateDifference,
  StateExplanation,
  StateQuestion,
} from '../../src/state-resolution/explanation.ts';
import type { EventCheck } from '../../src/federation/trust/check-events.ts';
import type { RenderTask } from '../../src/media/render-thumbnail.ts';
import type { ThumbnailFile } from '../../src/media/thumbnail.ts';
import type { Ask } from '../kit/protocol.ts';
import type { CheckedEvent } from '../server-keys/protocol.ts';

/** A state that takes part in a resolution: one that is stored, with entries laid over it that are not. */
export interface StateBranch {
  readonly stateGroup: number;
  readonly changes: readonly StateGroupChange[];
}

/** A resolution of stored states, as data: whoever works on it reads the database. */
export interface ResolutionTask {
  readonly databasePath: string;
  readonly roomVersion: string;
  readonly roomId: string;
  /** At least one. */
  readonly branches: readonly StateBranch[];
  /** Events that the branches name and the database does not have yet. */
  readonly unstored: readonly { readonly eventId: string; readonly pdu: string }[];
  /** The state that the result is compared with; null: with no state. */
  readonly comparedWith: number | null;
}

/** What states were resolved to. */
export interface ResolvedStates {
  readonly kind: 'resolved';
  /** Which branch's stored group is nearest to the result. */
  readonly base: number;
  /** What makes the result out of `branches[base].stateGroup`. */
  readonly changes: readonly StateGroupChange[];
  /** What makes the result out of the state of `comparedWith`. */
  readonly comparedChanges: readonly StateGroupChange[];
  /** Conflicted events, the auth difference included. */
  readonly conflictedEvents: number;
}

/** A question about states, for whoever reads the database. */
export type ExplanationTask = StateQuestion & { readonly databasePath: string };
export type DifferenceTask = DifferenceQuestion & { readonly databasePath: string };

export type PoolProtocol = {
  /**
   * Resolves states beside all actors. Refused with M_LIMIT_EXCEEDED when too much is waiting, M_UNKNOWN (500) when the room's states
   * cannot be resolved: a defect that is logged and harms that room alone.
   */
  'pool.resolve-state': Ask<ResolutionTask, ResolvedStates | Refusal>;
  /**
   * Says why an entry of a state is what it is. Refused with M_NOT_FOUND for what is not known or has no state; otherwise as
   * `pool.resolve-state`.
   */
  'pool.explain-state': Ask<ExplanationTask, StateExplanation | Refusal>;
  /** Says in what two states differ. Refused as `pool.explain-state`. */
  'pool.diff-states': Ask<DifferenceTask, StateDifference | Refusal>;
  /** Checks events of another server. Refused with M_LIMIT_EXCEEDED when too much is waiting, M_UNKNOWN (500) for a defect, which is logged. */
  'pool.check-events': Ask<
    EventCheck,
    { readonly kind: 'checked'; readonly events: readonly CheckedEvent[] } | Refusal
  >;
  /**
   * Makes a thumbnail. Refused with M_UNKNOWN (400) for what is no picture, M_TOO_LARGE for one with too many pixels, M_LIMIT_EXCEEDED when
   * too much is waiting, M_UNKNOWN (500) when it could not be written: that is logged.
   */
  'pool.render-thumbnail': Ask<RenderTask, ThumbnailFile | Refusal>;
  /** Hashes a password for storage (argon2id, PHC text). Refused with M_LIMIT_EXCEEDED when too much is waiting. */
  'pool.hash-password': Ask<{ readonly password: string }, { readonly hash: string } | Refusal>;
  /**
   * Compares a password with a stored hash, in constant time. A null hash costs as much as a real one and never matches: for
   * accounts that do not exist. Refused with M_LIMIT_EXCEEDED when too much is waiting.
   */
  'pool.verify-password': Ask<
    { readonly password: string; readonly hash: string | null },
    { readonly matches: boolean } | Refusal
  >;
};
