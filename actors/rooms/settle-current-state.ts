import type { ForwardExtremity } from '../../db/rooms/head-reader.ts';
import type { StateGroupChange, StateGroupWrite } from '../../db/rooms/state-group-writer.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { Branch } from './branch-state.ts';
import type { Resolver } from './resolution.ts';
import type { Room } from './room-memory.ts';
import { planStateGroup, type StateGroupNumbers } from './state-groups.ts';

/** What settling takes. */
export interface SettlingDesk {
  readonly resolver: Resolver;
  readonly numbers: StateGroupNumbers;
}

/** The event whose coming changes the extremities, as one of them. */
export interface EventBranch {
  readonly eventId: string;
  readonly json: string;
  /** The state after it, and how that is stored. */
  readonly after: Branch;
  readonly write: StateGroupWrite;
}

/** What a room's current state becomes. */
export interface SettledState {
  /** What several extremities resolve to; null: there is one, whose state it is. */
  readonly resolved: StateGroupWrite | null;
  /** The group of the current state. */
  readonly stateGroup: number;
  /** What makes it out of the current state before. */
  readonly changes: readonly StateGroupChange[];
}

interface StoredBranch {
  readonly stateGroup: number;
  readonly changes: readonly StateGroupChange[];
}

function isSameChanges(left: readonly StateGroupChange[], right: readonly StateGroupChange[]): boolean {
  if (left.length !== right.length) return false;
  return left.every((change) =>
    right.some(
      ({ type, stateKey, eventId }) =>
        type === change.type && stateKey === change.stateKey && eventId === change.eventId,
    ),
  );
}

/** The states of the extremities, each once. */
function branchesOf(kept: readonly ForwardExtremity[], event: EventBranch | null): readonly StoredBranch[] {
  const groups = new Set<number>();
  for (const { eventId, stateGroup } of kept) {
    if (stateGroup === null) throw new Error(`the extremity ${eventId} has no state`);
    groups.add(stateGroup);
  }
  const { after, write } = event ?? {};
  if (write?.kind === 'existing') groups.add(write.stateGroup);
  const branches: StoredBranch[] = [...groups].map((stateGroup) => ({ stateGroup, changes: [] }));
  if (after !== undefined && write?.kind === 'new') {
    if (after.stateGroup === null) throw new Error('an accepted event has no state before it');
    branches.push({ stateGroup: after.stateGroup, changes: after.changes });
  }
  return branches;
}

/** Where the states that are resolved to are stored: as one of them, or as a new one. */
function planResolved(
  resolved: { readonly base: number; readonly changes: readonly StateGroupChange[] },
  branches: readonly StoredBranch[],
  event: EventBranch | null,
  numbers: StateGroupNumbers,
): StateGroupWrite {
  const base = branches[resolved.base];
  if (base === undefined) throw new Error('the resolver named a branch that there is not');
  const isOfEvent =
    event?.write.kind === 'new' &&
    event.after.stateGroup === base.stateGroup &&
    isSameChanges(event.after.changes, resolved.changes);
  if (isOfEvent) return { kind: 'existing', stateGroup: event.write.stateGroup };
  return planStateGroup(base.stateGroup, resolved.changes, numbers);
}

/**
 * What the current state becomes: the state of the one extremity, or what those of several resolve to. Nothing is resolved when the
 * states of the extremities are the same as before.
 *
 * @param before the extremities until now
 * @param kept those of them that stay
 * @param event the event, when it becomes one
 * @returns refused as the resolver refuses
 */
export async function settleCurrentState(
  desk: SettlingDesk,
  room: Room,
  before: readonly ForwardExtremity[],
  kept: readonly ForwardExtremity[],
  event: EventBranch | null,
): Promise<SettledState | Refusal> {
  const current = room.stateGroup;
  if (current === null) throw new Error(`the room ${room.roomId} has no state`);
  const branches = branchesOf(kept, event);
  const isOne = kept.length + (event === null ? 0 : 1) === 1;
  const settled = (write: StateGroupWrite, changes: readonly StateGroupChange[]): SettledState => ({
    resolved: isOne ? null : write,
    stateGroup: write.stateGroup,
    changes,
  });
  const groupsBefore = new Set(before.map(({ stateGroup }) => stateGroup));
  const isStored = branches.every(({ changes }) => changes.length === 0) && event?.write.kind !== 'new';
  const isUnchanged =
    isStored &&
    branches.length === groupsBefore.size &&
    branches.every(({ stateGroup }) => groupsBefore.has(stateGroup));
  if (isUnchanged) return settled({ kind: 'existing', stateGroup: current }, []);
  const [only, second] = branches;
  if (only === undefined) throw new Error(`the room ${room.roomId} would be left without extremities`);
  const ofOne: StateGroupWrite = {
    kind: 'existing',
    stateGroup: event?.write.kind === 'new' ? event.write.stateGroup : only.stateGroup,
  };
  if (second === undefined && only.stateGroup === current) return settled(ofOne, only.changes);
  const resolved = await desk.resolver.resolve({
    roomVersion: room.version.id,
    roomId: room.roomId,
    branches,
    unstored: event === null ? [] : [{ eventId: event.eventId, pdu: event.json }],
    comparedWith: current,
  });
  if (isRefusal(resolved)) return resolved;
  const { comparedChanges } = resolved;
  if (second === undefined) return settled(ofOne, comparedChanges);
  if (comparedChanges.length === 0) return settled({ kind: 'existing', stateGroup: current }, []);
  return settled(planResolved(resolved, branches, event, desk.numbers), comparedChanges);
}
