import { compareCodePoints } from '../events/canonical-json.ts';
import type { Pdu } from '../events/pdu.ts';
import { createEventIdOfRoom } from '../identifiers/room-id.ts';
import { powerLevels } from '../rooms/power-levels.ts';
import { findAuthEventAt } from './auth-event-at.ts';
import { authEventsIn, idIn, reachedFrom } from './auth-graph.ts';
import type { AuthGraph } from './auth-graph.ts';
import type { ResolutionInput } from './resolution.ts';
import { createSmallestFirst } from './smallest-first.ts';

/**
 * The power events of the full conflicted set, together with those events of their auth chains that are in it, in reverse topological
 * power order: an event stands behind its auth events; where that leaves a choice, the event of the more powerful sender comes first,
 * then the older, then the one with the smaller id. Room version 2, "Algorithm" step 1 and "Reverse topological power ordering", v1.19.
 *
 * @param fullConflictedSet numbers of the graph
 * @returns numbers of the graph
 */
export function sortPowerEvents(
  input: ResolutionInput,
  graph: AuthGraph,
  fullConflictedSet: ReadonlySet<number>,
): readonly number[] {
  const powerEvents = [...fullConflictedSet].filter((event) => isPowerEvent(pduIn(input, graph, event)));
  const isBelow = reachedFrom(powerEvents, (event) => authEventsIn(graph, event), graph.eventIds.length);
  const chosen = new Set(powerEvents);
  for (const event of fullConflictedSet) if (isBelow[event] === 1) chosen.add(event);
  return sortByPower(input, graph, chosen);
}

/** An event that may take a right away from somebody. Room version 2, "Power events", v1.19. */
export function isPowerEvent({ type, sender, state_key: stateKey, content }: Pdu): boolean {
  if (stateKey === undefined) return false;
  if (type === 'm.room.power_levels' || type === 'm.room.join_rules') return true;
  if (type !== 'm.room.member' || sender === stateKey) return false;
  return content['membership'] === 'leave' || content['membership'] === 'ban';
}

/** An event on its way through the sort. */
interface SortedEvent {
  readonly event: number;
  readonly eventId: string;
  readonly senderLevel: number;
  readonly originServerTs: number;
  /** Its auth events that are not placed yet. */
  waitsFor: number;
  readonly citedBy: SortedEvent[];
}

/** Kahn's algorithm; of the events that could be next it takes the smallest. */
function sortByPower(
  input: ResolutionInput,
  graph: AuthGraph,
  events: ReadonlySet<number>,
): readonly number[] {
  const sorted = new Map<number, SortedEvent>();
  for (const event of events) sorted.set(event, sortedEvent(input, graph, event));
  const ready = createSmallestFirst(comesBefore);
  for (const entry of sorted.values()) {
    for (const authEvent of authEventsIn(graph, entry.event)) {
      const cited = sorted.get(authEvent);
      if (cited === undefined) continue;
      cited.citedBy.push(entry);
      entry.waitsFor += 1;
    }
  }
  for (const entry of sorted.values()) if (entry.waitsFor === 0) ready.push(entry);
  const order: number[] = [];
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    order.push(next.event);
    for (const citing of next.citedBy) {
      citing.waitsFor -= 1;
      if (citing.waitsFor === 0) ready.push(citing);
    }
  }
  if (order.length < events.size) throw new Error('auth events form a circle');
  return order;
}

function sortedEvent(input: ResolutionInput, graph: AuthGraph, event: number): SortedEvent {
  const eventId = idIn(graph, event);
  const { pdu } = input.source.event(eventId);
  return {
    event,
    eventId,
    senderLevel: senderLevel(input, eventId, pdu.sender),
    originServerTs: pdu.origin_server_ts,
    waitsFor: 0,
    citedBy: [],
  };
}

function comesBefore(left: SortedEvent, right: SortedEvent): boolean {
  if (left.senderLevel !== right.senderLevel) return left.senderLevel > right.senderLevel;
  if (left.originServerTs !== right.originServerTs) return left.originServerTs < right.originServerTs;
  return compareCodePoints(left.eventId, right.eventId) < 0;
}

/** The level of an event's sender by the event's own auth events, whatever any state says. */
function senderLevel(input: ResolutionInput, eventId: string, sender: string): number {
  const { version, roomId, source } = input;
  const create = version.createInAuthEvents
    ? findAuthEventAt(source, eventId, 'm.room.create', '')
    : source.event(createEventIdOfRoom(roomId));
  const levels = findAuthEventAt(source, eventId, 'm.room.power_levels', '');
  // Only where creators stand above all levels do levels need the create event; without either nobody has any.
  const room = create ?? levels;
  return room === undefined ? 0 : powerLevels(version, room.pdu, levels?.pdu).ofUser(sender);
}

function pduIn({ source }: ResolutionInput, graph: AuthGraph, event: number): Pdu {
  return source.event(idIn(graph, event)).pdu;
}
