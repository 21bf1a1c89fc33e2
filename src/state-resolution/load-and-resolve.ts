import type { ResolutionTask, ResolvedStates } from '../../actors/pool/protocol.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import type { StateGroupChange } from '../../db/rooms/state-group-writer.ts';
import { getRoomVersion, type RoomVersion } from '../matrix/rooms/room-versions.ts';
import {
  conflictedEventIds,
  eventsNeededWithChains,
  unconflictedEventsNeeded,
} from '../matrix/state-resolution/needed-events.ts';
import type { ResolutionInput, ResolutionTrace } from '../matrix/state-resolution/resolution.ts';
import { resolveState } from '../matrix/state-resolution/resolve-state.ts';
import { splitStates } from '../matrix/state-resolution/split-states.ts';
import type { StateMap } from '../matrix/state-resolution/state-map.ts';
import { createEventLoader, type EventLoader } from './event-loader.ts';
import { differenceBetween, layOver, readStateMap } from './stored-states.ts';

const NO_STATE: StateMap = new Map();

/**
 * Loads what the resolution of some states looks at.
 *
 * @returns false when that is more than the loader may read
 */
export async function loadForResolution(
  loader: EventLoader,
  version: RoomVersion,
  states: readonly StateMap[],
): Promise<boolean> {
  const split = splitStates(states);
  if (split.conflicted.size === 0) return true;
  const hasChains = version.stateResolution !== 'v1';
  const withChains = eventsNeededWithChains(version, split);
  const isLoaded = await (hasChains ? loader.loadChains(withChains) : loader.loadEvents(withChains));
  if (!isLoaded) return false;
  const unconflicted = unconflictedEventsNeeded(version, loader.events(), split.unconflicted);
  if (!(await loader.loadEvents(unconflicted))) return false;
  return !hasChains || loader.loadEdges(split.unconflicted.values());
}

/** How many events a resolution had to decide about. */
function conflictedEvents(trace: ResolutionTrace): number {
  const ids = new Set(conflictedEventIds(trace.conflicted));
  for (const id of trace.authDifference) ids.add(id);
  for (const id of trace.conflictedSubgraph) ids.add(id);
  return ids.size;
}

/** Which of some stored states is nearest to a state, and what makes the one out of the other. */
function nearest(
  stored: readonly StateMap[],
  result: StateMap,
): { readonly base: number; readonly changes: readonly StateGroupChange[] } {
  const [first = NO_STATE, ...others] = stored;
  let best = { base: 0, changes: differenceBetween(first, result) };
  for (const [index, state] of others.entries()) {
    if (best.changes.length === 0) break;
    const changes = differenceBetween(state, result);
    if (changes.length < best.changes.length) best = { base: index + 1, changes };
  }
  return best;
}

/**
 * Resolves stored states: reads them and what they have to be decided with, resolves, and says what makes the result out of states that
 * are stored. Gives the event loop a turn now and then.
 *
 * @param options `eventsMax` is how many events may be read beside the states themselves; as many as it takes when absent
 * @returns undefined when it would take more events than that
 * @throws Error when a state names an event that is neither stored nor in `unstored`
 */
export async function loadAndResolve(
  db: ReadDb,
  task: Omit<ResolutionTask, 'databasePath'>,
  options: { readonly eventsMax?: number } = {},
): Promise<ResolvedStates | undefined> {
  const version = getRoomVersion(task.roomVersion);
  const { roomId, branches, unstored, comparedWith } = task;
  const groups = new Map<number, StateMap>();
  const stateOf = async (stateGroup: number): Promise<StateMap> => {
    const state = groups.get(stateGroup) ?? (await readStateMap(db, stateGroup));
    groups.set(stateGroup, state);
    return state;
  };
  const stored: StateMap[] = [];
  for (const { stateGroup } of branches) stored.push(await stateOf(stateGroup));
  const states = branches.map(({ changes }, index) => layOver(stored[index] ?? NO_STATE, changes));
  const loader = createEventLoader(db, { ...options, version, unstored });
  if (!(await loadForResolution(loader, version, states))) return undefined;
  const input: ResolutionInput = { version, roomId, states, source: loader.source };
  let decided = 0;
  const result = resolveState(input, (trace) => (decided = conflictedEvents(trace)));
  const compared = comparedWith === null ? NO_STATE : await stateOf(comparedWith);
  return {
    kind: 'resolved',
    ...nearest(stored, result),
    comparedChanges: differenceBetween(compared, result),
    conflictedEvents: decided,
  };
}
