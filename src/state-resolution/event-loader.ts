import { setImmediate } from 'node:timers/promises';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { type ChainEvent, readAuthEdges, readChainEvents } from '../../db/rooms/auth-chain-reader.ts';
import { edgeIds, type Pdu } from '../matrix/events/pdu.ts';
import { redact } from '../matrix/events/redaction.ts';
import type { RoomVersion } from '../matrix/rooms/room-versions.ts';
import type { ResolutionEvent, ResolutionSource } from '../matrix/state-resolution/resolution.ts';

/** Events that one query reads: the thread is held for a few milliseconds. */
const EVENTS_PER_QUERY = 200;
/** Events after which the other work of the thread gets a turn: a read from SQLite gives none. */
const EVENTS_PER_TURN = 200;

/** An event of a resolution, with what else is known of it. */
export interface LoadedEvent extends ResolutionEvent {
  /** A redaction was applied to it: its `pdu` is what that left. */
  readonly isRedacted: boolean;
}

/** An event that the database does not have yet. */
export interface UnstoredEvent {
  readonly eventId: string;
  readonly pdu: string;
}

export interface EventLoaderOptions {
  readonly version: RoomVersion;
  readonly unstored: readonly UnstoredEvent[];
  /** How many events may be read; undefined: as many as it takes. */
  readonly eventsMax?: number;
}

/**
 * Loads events for a resolution, a level of the auth chains at a time. Each load gives false, and has then loaded nothing of use, when it
 * would read more events than it may.
 */
export interface EventLoader {
  /** Has what was loaded. An auth event that this server does not know counts as not named: it can decide nothing. */
  readonly source: Pick<ResolutionSource, 'authEventIds'> & { event(eventId: string): LoadedEvent };
  /** Loads events. */
  loadEvents(eventIds: Iterable<string>): Promise<boolean>;
  /** Loads events and all their auth chains, whole. */
  loadChains(eventIds: Iterable<string>): Promise<boolean>;
  /** Loads who names whom as auth events: of the events, and of all their auth chains. */
  loadEdges(eventIds: Iterable<string>): Promise<boolean>;
  /** What was loaded whole, in no order. */
  events(): Iterable<LoadedEvent>;
  /** An event that was loaded, if this server knows it. */
  find(eventId: string): LoadedEvent | undefined;
}

function toLoadedEvent(version: RoomVersion, stored: ChainEvent): LoadedEvent {
  const pdu = JSON.parse(stored.pdu) as Pdu;
  return { ...stored, pdu: stored.isRedacted ? redact(version, pdu) : pdu };
}

/** Reads some events and gives the ids of all auth events that they name. */
type ReadSome = (eventIds: readonly string[]) => Promise<readonly string[]>;

/** What was loaded, and what loads it; nothing is decided here about what is wanted. */
interface LoadedEvents {
  readonly events: ReadonlyMap<string, LoadedEvent>;
  readonly edges: ReadonlyMap<string, readonly string[]>;
  readonly readEvents: ReadSome;
  readonly readEdges: ReadSome;
  /** Takes one that is not stored: gives the ids of its auth events; undefined for any other. */
  readonly takeUnstored: (eventId: string) => readonly string[] | undefined;
}

function createLoadedEvents(db: ReadDb, { version, unstored }: EventLoaderOptions): LoadedEvents {
  const events = new Map<string, LoadedEvent>();
  const edges = new Map<string, readonly string[]>();
  const texts = new Map(unstored.map((event) => [event.eventId, event.pdu]));
  const keep = (event: LoadedEvent): readonly string[] => {
    const authEvents = edges.get(event.eventId) ?? edgeIds(event.pdu.auth_events);
    events.set(event.eventId, event);
    edges.set(event.eventId, authEvents);
    return authEvents;
  };
  return {
    events,
    edges,
    readEvents: async (ids) =>
      (await readChainEvents(db, ids)).flatMap((stored) => keep(toLoadedEvent(version, stored))),
    readEdges: async (ids) => {
      const found = await readAuthEdges(db, ids);
      for (const [eventId, authEvents] of found) edges.set(eventId, authEvents);
      return [...found.values()].flat();
    },
    takeUnstored(eventId) {
      const pdu = texts.get(eventId);
      if (pdu === undefined) return undefined;
      return keep(toLoadedEvent(version, { eventId, pdu, isRedacted: false, isRejected: false }));
    },
  };
}

/**
 * Reads many events in pieces that hold the thread for a short time each.
 *
 * @param onRead is told what was looked for, found or not
 * @returns a function that gives the ids of all auth events named, or undefined when that would read more than `eventsMax` in all
 */
function inPieces(
  eventsMax: number,
  onRead: (eventIds: readonly string[]) => void,
): (eventIds: readonly string[], readSome: ReadSome) => Promise<readonly string[] | undefined> {
  let read = 0;
  let sinceTurn = 0;
  return async (eventIds, readSome) => {
    const named: string[] = [];
    for (let start = 0; start < eventIds.length; start += EVENTS_PER_QUERY) {
      const piece = eventIds.slice(start, start + EVENTS_PER_QUERY);
      read += piece.length;
      sinceTurn += piece.length;
      if (read > eventsMax) return undefined;
      named.push(...(await readSome(piece)));
      onRead(piece);
      if (sinceTurn < EVENTS_PER_TURN) continue;
      sinceTurn = 0;
      await setImmediate();
    }
    return named;
  };
}

/** Makes a loader that has loaded nothing yet. */
export function createEventLoader(db: ReadDb, options: EventLoaderOptions): EventLoader {
  const { events, edges, readEvents, readEdges, takeUnstored } = createLoadedEvents(db, options);
  const absent = new Set<string>();
  const readAll = inPieces(options.eventsMax ?? Infinity, (ids) => {
    for (const id of ids) if (!edges.has(id)) absent.add(id);
  });
  /** Walks down auth chains, a level at a time; `isSeen` is asked once for each time that an event is named. */
  const walk = async (from: Iterable<string>, isSeen: (id: string) => boolean, readSome: ReadSome) => {
    let wanted: Iterable<string> = from;
    for (;;) {
      const stored: string[] = [];
      const further: string[] = [];
      for (const id of wanted) {
        if (isSeen(id)) continue;
        const named = takeUnstored(id);
        if (named === undefined) stored.push(id);
        else further.push(...named);
      }
      if (stored.length === 0 && further.length === 0) return true;
      const named = await readAll(stored, readSome);
      if (named === undefined) return false;
      wanted = [...further, ...named];
    }
  };
  const [seenWhole, seenEdges] = [new Set<string>(), new Set<string>()];
  /** False when it is asked for the first time. */
  const isAgain = (seen: Set<string>, id: string): boolean => seen.size === seen.add(id).size;

  return {
    source: {
      event(eventId) {
        const event = events.get(eventId);
        if (event === undefined) throw new Error(`event ${eventId} was not loaded`);
        return event;
      },
      authEventIds(eventId) {
        const ids = edges.get(eventId);
        if (ids === undefined) throw new Error(`the auth events of ${eventId} were not loaded`);
        return absent.size === 0 ? ids : ids.filter((id) => !absent.has(id));
      },
    },
    async loadEvents(eventIds) {
      const wanted = [...new Set(eventIds)].filter((id) => !events.has(id));
      const stored = wanted.filter((id) => takeUnstored(id) === undefined);
      return (await readAll(stored, readEvents)) !== undefined;
    },
    loadChains: (eventIds) => walk(eventIds, (id) => isAgain(seenWhole, id), readEvents),
    loadEdges: (eventIds) => walk(eventIds, (id) => seenWhole.has(id) || isAgain(seenEdges, id), readEdges),
    events: () => events.values(),
    find: (eventId) => events.get(eventId),
  };
}
