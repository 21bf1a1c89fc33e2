import { createEduQueue, type EduQueue } from './edu-queue.ts';

/** Events that wait for one server in memory, in their order; beyond it they wait in the database. */
export const WAITING_EVENTS_MAX = 500;
/** A server that failed so often gets of each room the ends of its branches only: it asks for what it wants of those before. */
export const FAILURES_TO_CATCH_UP = 3;

/** A server that something waits for, or waited for a moment ago. */
export interface Destination {
  readonly name: string;
  /** Events that wait in memory, room by number. In order, unless some were found after a restart. */
  readonly events: Map<number, string>;
  /** By room, events that are not noted in the database as unsent. */
  readonly unnoted: Map<string, Set<number>>;
  /** Events that need to be noted no more. */
  readonly settled: Set<number>;
  /** True: what waits stands in the database, or in `unnoted`. */
  isCatchingUp: boolean;
  /** Something is noted as unsent, or may be. */
  mayHaveNotes: boolean;
  mayHaveMessages: boolean;
  mayHaveDeviceLists: boolean;
  readonly edus: EduQueue;
  /** Of the events that were for it, it has all up to here; 0: not known in this life. */
  sentUpTo: number;
  lastHeardTs: number | null;
  /** Its row is to be written. */
  isChanged: boolean;
  isWorking: boolean;
}

/** A server that nothing waits for. */
export function createDestination(name: string): Destination {
  return {
    name,
    events: new Map(),
    unnoted: new Map(),
    settled: new Set(),
    isCatchingUp: false,
    mayHaveNotes: false,
    mayHaveMessages: false,
    mayHaveDeviceLists: false,
    edus: createEduQueue(),
    sentUpTo: 0,
    lastHeardTs: null,
    isChanged: false,
    isWorking: false,
  };
}

/** From here on the events wait in the database, of each room the ends of its branches. */
export function beginCatchUp(destination: Destination): void {
  destination.isCatchingUp = true;
  destination.events.clear();
}

/** An event waits for a server. One that waits already changes nothing. */
export function addEvent(destination: Destination, eventNid: number, roomId: string): void {
  const { events, unnoted, isCatchingUp } = destination;
  const ofRoom = unnoted.get(roomId);
  if (ofRoom === undefined) unnoted.set(roomId, new Set([eventNid]));
  else ofRoom.add(eventNid);
  if (isCatchingUp) return;
  events.set(eventNid, roomId);
  if (events.size > WAITING_EVENTS_MAX) beginCatchUp(destination);
}

/** These events need to be noted no more, or are. */
export function forgetUnnoted(destination: Destination, roomId: string, eventNids: Iterable<number>): void {
  const ofRoom = destination.unnoted.get(roomId);
  if (ofRoom === undefined) return;
  for (const eventNid of eventNids) ofRoom.delete(eventNid);
  if (ofRoom.size === 0) destination.unnoted.delete(roomId);
}

/** It has these events. */
export function noteDelivered(destination: Destination, eventNids: readonly number[]): void {
  const { events, unnoted, settled } = destination;
  if (eventNids.length === 0) return;
  for (const eventNid of eventNids) {
    events.delete(eventNid);
    settled.add(eventNid);
  }
  for (const roomId of unnoted.keys()) forgetUnnoted(destination, roomId, eventNids);
  destination.sentUpTo = Math.max(destination.sentUpTo, ...eventNids);
  destination.isChanged = true;
}

/** Something waits for it. */
export function hasWork(destination: Destination): boolean {
  const { events, isCatchingUp, edus, mayHaveMessages, mayHaveDeviceLists } = destination;
  return events.size > 0 || isCatchingUp || edus.size > 0 || mayHaveMessages || mayHaveDeviceLists;
}

/** Something waits for it that is to go at once. */
export function isUrgent(destination: Destination): boolean {
  const { events, isCatchingUp, edus, mayHaveMessages, mayHaveDeviceLists } = destination;
  return events.size > 0 || isCatchingUp || edus.isUrgent() || mayHaveMessages || mayHaveDeviceLists;
}

/** Nothing is lost when it is forgotten. */
export function isIdle(destination: Destination): boolean {
  const { isWorking, isChanged, unnoted, mayHaveNotes } = destination;
  return !isWorking && !isChanged && unnoted.size === 0 && !mayHaveNotes && !hasWork(destination);
}
