import { authEventsIn } from './auth-graph.ts';
import type { AuthGraph } from './auth-graph.ts';
import type { ResolutionSource } from './resolution.ts';
import type { SplitStates } from './split-states.ts';
import type { StateMap } from './state-map.ts';

/** States that one walk over the graph tells apart: the bits of a number that bit operations keep positive. */
const STATES_PER_WALK = 31;

/**
 * The auth difference: the events that are in the full auth chain of some states and not of all. The full auth chain of a state is
 * its events with all their auth chains; so an event that all states share is never in the difference, nor is what it stands on.
 * Room version 2, "Auth difference", v1.19.
 *
 * Exact, and it costs one walk over the chains, not one for each event or state: marks of the states flow along the edges.
 *
 * @param graph the conflicted events with their auth chains
 * @returns numbers of the graph, smallest first
 */
export function authDifference(
  graph: AuthGraph,
  states: readonly StateMap[],
  { unconflicted, conflicted }: SplitStates,
  source: ResolutionSource,
): readonly number[] {
  const isInAll = new Uint8Array(graph.eventIds.length).fill(1);
  for (let start = 0; start < states.length; start += STATES_PER_WALK) {
    const group = states.slice(start, start + STATES_PER_WALK);
    const all = 2 ** group.length - 1;
    markChains(graph, group, conflicted.keys()).forEach((mark, event) => {
      if (mark !== all) isInAll[event] = 0;
    });
  }
  const difference = new Set<number>();
  isInAll.forEach((flag, event) => {
    if (flag === 0) difference.add(event);
  });
  removeChainsOf(unconflicted, difference, graph, source);
  return [...difference];
}

/** Gives every event one bit for each state in whose conflicted part, or the chain of that, it is. */
function markChains(graph: AuthGraph, states: readonly StateMap[], names: Iterable<string>): Int32Array {
  const marks = new Int32Array(graph.eventIds.length);
  for (const name of names) {
    states.forEach((state, bit) => {
      const eventId = state.get(name);
      const event = eventId === undefined ? undefined : graph.find(eventId);
      if (event !== undefined) marks[event] = (marks[event] ?? 0) | (1 << bit);
    });
  }
  // An event waits again only when it gained a mark, so at most once for each state.
  const waiting: number[] = [];
  const isWaiting = new Uint8Array(marks.length);
  marks.forEach((mark, event) => {
    if (mark !== 0) waiting.push(event);
  });
  for (const event of waiting) isWaiting[event] = 1;
  for (let event = waiting.pop(); event !== undefined; event = waiting.pop()) {
    isWaiting[event] = 0;
    const mark = marks[event] ?? 0;
    for (const next of authEventsIn(graph, event)) {
      const before = marks[next] ?? 0;
      if ((before | mark) === before) continue;
      marks[next] = before | mark;
      if (isWaiting[next] === 1) continue;
      isWaiting[next] = 1;
      waiting.push(next);
    }
  }
  return marks;
}

/** Takes out of the difference what stands below unconflicted events: every state has that. */
function removeChainsOf(
  unconflicted: StateMap,
  difference: Set<number>,
  graph: AuthGraph,
  source: ResolutionSource,
): void {
  const seen = new Set<string>();
  const waiting = [...unconflicted.values()];
  while (difference.size > 0) {
    const eventId = waiting.pop();
    if (eventId === undefined) return;
    if (seen.has(eventId)) continue;
    seen.add(eventId);
    const event = graph.find(eventId);
    // What is in the graph and not in the difference is in all chains, and so is all that it stands on.
    if (event !== undefined && !difference.delete(event)) continue;
    waiting.push(...source.authEventIds(eventId));
  }
}
