import { authDifference } from './auth-difference.ts';
import { buildAuthGraph, idIn } from './auth-graph.ts';
import type { AuthGraph } from './auth-graph.ts';
import { conflictedSubgraph } from './conflicted-subgraph.ts';
import { checkIteratively } from './iterative-auth.ts';
import type { PartialState } from './iterative-auth.ts';
import { sortByMainline } from './mainline-sort.ts';
import { conflictedEventIds } from './needed-events.ts';
import { sortPowerEvents } from './power-sort.ts';
import type { ResolutionInput, ResolutionStep, ResolutionTrace } from './resolution.ts';
import { splitStates } from './split-states.ts';
import type { SplitStates } from './split-states.ts';
import { stateName } from './state-map.ts';
import type { StateMap } from './state-map.ts';

/** In what the second algorithm and its revision differ. */
export interface V2Differences {
  /** The checks start from what no state disputes; otherwise from nothing. */
  readonly startsFromUnconflicted: boolean;
  /** Events on auth paths between conflicted events are resolved too. */
  readonly takesConflictedSubgraph: boolean;
}

/** Room versions 2 to 11. */
export const V2: V2Differences = { startsFromUnconflicted: true, takesConflictedSubgraph: false };

/** Room version 12. */
export const V2_1: V2Differences = { startsFromUnconflicted: false, takesConflictedSubgraph: true };

const NOTHING: StateMap = new Map();
const POWER_LEVELS = stateName('m.room.power_levels', '');

/** Resolves states by algorithm 2 or 2.1. Room versions 2 and 12, "State resolution", v1.19. */
export function resolveV2(
  input: ResolutionInput,
  differences: V2Differences,
  onTrace?: (trace: ResolutionTrace) => void,
): StateMap {
  const { version, source } = input;
  const split = splitStates(input.states);
  const algorithm = version.stateResolution;
  if (split.conflicted.size === 0) {
    onTrace?.({
      algorithm,
      conflicted: split.conflicted,
      authDifference: [],
      conflictedSubgraph: [],
      steps: [],
    });
    return split.unconflicted;
  }
  const { graph, difference, subgraph, fullConflictedSet } = collect(input, differences, split);
  const steps: ResolutionStep[] = [];
  const onStep = (pass: ResolutionStep['pass']): Parameters<typeof checkIteratively>[3] =>
    onTrace === undefined ? undefined : (step) => steps.push({ ...step, pass });

  const powerEvents = sortPowerEvents(input, graph, fullConflictedSet);
  const base = differences.startsFromUnconflicted ? split.unconflicted : NOTHING;
  const state: PartialState = { base, allowed: new Map() };
  const toIds = (events: readonly number[]): readonly string[] => events.map((event) => idIn(graph, event));
  checkIteratively(input, toIds(powerEvents), state, onStep('power'));

  const isSorted = new Set(powerEvents);
  const others = toIds([...fullConflictedSet].filter((event) => !isSorted.has(event)));
  const powerLevelsId = state.allowed.get(POWER_LEVELS) ?? state.base.get(POWER_LEVELS);
  checkIteratively(input, sortByMainline(source, others, powerLevelsId), state, onStep('mainline'));

  onTrace?.({
    algorithm,
    conflicted: split.conflicted,
    authDifference: toIds(difference),
    conflictedSubgraph: toIds(subgraph),
    steps,
  });
  return withoutDisputes(state.allowed, split.unconflicted);
}

/** Lays what no state disputes over what was resolved. */
function withoutDisputes(resolved: StateMap, unconflicted: StateMap): StateMap {
  const result = new Map(unconflicted);
  for (const [name, eventId] of resolved) if (!unconflicted.has(name)) result.set(name, eventId);
  return result;
}

/** Everything that is looked at: conflicted events, the auth difference and, in 2.1, the conflicted subgraph. */
function collect(
  { states, source }: ResolutionInput,
  { takesConflictedSubgraph }: V2Differences,
  split: SplitStates,
): {
  readonly graph: AuthGraph;
  readonly difference: readonly number[];
  readonly subgraph: readonly number[];
  readonly fullConflictedSet: ReadonlySet<number>;
} {
  const roots = conflictedEventIds(split.conflicted);
  const graph = buildAuthGraph(roots, source);
  const conflicted = new Set(roots.keys());
  const difference = authDifference(graph, states, split, source);
  const subgraph = takesConflictedSubgraph ? conflictedSubgraph(graph, conflicted) : [];
  return {
    graph,
    difference,
    subgraph,
    fullConflictedSet: new Set([...conflicted, ...difference, ...subgraph]),
  };
}
