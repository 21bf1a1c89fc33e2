import type { ResolutionSource } from './resolution.ts';

/**
 * Events with their whole auth chains. Events are numbers here, in the order in which they were met: chains are long, and walking
 * over numbers is several times faster than over texts.
 */
export interface AuthGraph {
  readonly eventIds: readonly string[];
  /** By the number of an event the numbers of its auth events. */
  readonly authEvents: readonly (readonly number[])[];
  /** Undefined for an event outside the graph. */
  find(eventId: string): number | undefined;
}

/**
 * Reads the graph of some events and their auth chains from a source, each event once.
 *
 * @param roots become the numbers from 0 on
 */
export function buildAuthGraph(roots: readonly string[], source: ResolutionSource): AuthGraph {
  const eventIds: string[] = [];
  const numbers = new Map<string, number>();
  const numberOf = (eventId: string): number => {
    const known = numbers.get(eventId);
    if (known !== undefined) return known;
    numbers.set(eventId, eventIds.length);
    return eventIds.push(eventId) - 1;
  };
  roots.forEach(numberOf);
  const authEvents: number[][] = [];
  // The list grows while it is walked: that is the whole traversal.
  for (const eventId of eventIds) authEvents.push(source.authEventIds(eventId).map(numberOf));
  return { eventIds, authEvents, find: (eventId) => numbers.get(eventId) };
}

/** The id of an event of the graph. */
export function idIn(graph: AuthGraph, event: number): string {
  const eventId = graph.eventIds[event];
  if (eventId === undefined) throw new Error(`the graph has no event ${event}`);
  return eventId;
}

/** The auth events of an event of the graph. */
export function authEventsIn(graph: AuthGraph, event: number): readonly number[] {
  const authEvents = graph.authEvents[event];
  if (authEvents === undefined) throw new Error(`the graph has no event ${event}`);
  return authEvents;
}

/** Marks with 1 all that can be reached from `starts` along `edges`; the starts themselves only where an edge leads to them. */
export function reachedFrom(
  starts: Iterable<number>,
  edges: (event: number) => readonly number[],
  size: number,
): Uint8Array {
  const reached = new Uint8Array(size);
  const waiting = [...starts];
  for (let event = waiting.pop(); event !== undefined; event = waiting.pop()) {
    for (const next of edges(event)) {
      if (reached[next] === 1) continue;
      reached[next] = 1;
      waiting.push(next);
    }
  }
  return reached;
}
