import { reachedFrom } from './auth-graph.ts';
import type { AuthGraph } from './auth-graph.ts';

/**
 * The conflicted state subgraph: the events on the paths along auth events from one conflicted event to another, both ends included.
 * Room version 12, "Conflicted state subgraph", v1.19.
 *
 * @param graph the conflicted events with their auth chains
 * @param conflicted numbers of the graph
 * @returns numbers of the graph, smallest first
 */
export function conflictedSubgraph(graph: AuthGraph, conflicted: ReadonlySet<number>): readonly number[] {
  const size = graph.eventIds.length;
  const citedBy: number[][] = graph.eventIds.map(() => []);
  graph.authEvents.forEach((authEvents, event) => {
    for (const authEvent of authEvents) citedBy[authEvent]?.push(event);
  });
  const isAbove = reachedFrom(conflicted, (event) => citedBy[event] ?? [], size);
  // Whatever the graph has is a conflicted event or stands below one: so is whoever cites it.
  const isBelow = (event: number): boolean => (citedBy[event] ?? []).length > 0;
  const subgraph: number[] = [];
  for (let event = 0; event < size; event += 1) {
    if (isAbove[event] === 1 || (conflicted.has(event) && isBelow(event))) subgraph.push(event);
  }
  return subgraph;
}
