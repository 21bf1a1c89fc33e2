import type { ResolutionInput, ResolutionTrace } from './resolution.ts';
import type { StateMap } from './state-map.ts';
import { resolveV1 } from './v1.ts';
import { resolveV2, V2, V2_1 } from './v2.ts';

/**
 * Resolves the states before an event to one, as the room's version does it: algorithm 1 (room version 1), 2 (2 to 11) or 2.1 (12).
 * The result depends on the set of states alone: neither their order nor repetitions matter.
 *
 * Room version 1, 2 and 12, "State resolution", v1.19.
 *
 * @param onTrace is told how it came about, once, before the result is returned
 * @throws when there is no state, or when the source lacks an event that it must have
 */
export function resolveState(input: ResolutionInput, onTrace?: (trace: ResolutionTrace) => void): StateMap {
  const { stateResolution } = input.version;
  if (stateResolution === 'v1') return resolveV1(input, onTrace);
  return resolveV2(input, stateResolution === 'v2' ? V2 : V2_1, onTrace);
}
