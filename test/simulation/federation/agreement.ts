import { openReadConnection } from '../../../db/kit/sqlite.ts';
import { readHostInGroup } from '../../../db/rooms/host-standing-reader.ts';
import type { MemberServer } from './member-server.ts';

/** What one server holds of a room. */
interface RoomHeld {
  readonly isInside: boolean;
  /** Servers with a joined user. */
  readonly hosts: ReadonlySet<string>;
  /** `<type> <state key>` → event id. */
  readonly state: ReadonlyMap<string, string>;
  /** Event id → how it stands: `timeline`, `outlier`, or why it was not accepted. */
  readonly events: ReadonlyMap<string, string>;
  /** Of those in the timeline: what came before them is not, such as before the first join of a server. Nobody may be left who has that. */
  readonly edges: ReadonlySet<string>;
  /** Text → ids of the events that say it. */
  readonly bodies: ReadonlyMap<string, readonly string[]>;
  /** Event id → ids of those that it follows. */
  readonly previous: ReadonlyMap<string, readonly string[]>;
  /** When its present stay began; 0: it made the room. All servers have one clock. */
  readonly sinceTs: number;
  /** When an event was made. */
  madeTs(eventId: string): number;
  /** A server had a joined user after the event. */
  wasIn(eventId: string, server: string): boolean;
}

const STATE = `
  SELECT json_extract(e.pdu, '$.type') AS type, json_extract(e.pdu, '$.state_key') AS stateKey,
         e.event_id AS eventId, c.membership
    FROM current_state c JOIN rooms r ON r.room_nid = c.room_nid JOIN events e ON e.event_nid = c.event_nid
   WHERE r.room_id = :roomId`;
const EVENTS = `
  SELECT e.event_id AS eventId, e.stream_ordering AS position, e.rejection, e.state_group AS stateGroup, e.origin_server_ts AS madeTs,
         json_extract(e.pdu, '$.content.body') AS body, json_extract(e.pdu, '$.prev_events') AS prevEvents
    FROM events e JOIN rooms r ON r.room_nid = e.room_nid WHERE r.room_id = :roomId`;

const STAY = `
  SELECT e.origin_server_ts AS sinceTs
    FROM room_changes c JOIN rooms r ON r.room_id = c.room_id
    JOIN events e ON e.room_nid = r.room_nid AND e.stream_ordering = c.position + 1
   WHERE c.room_id = :roomId AND c.change = 'joined' ORDER BY c.position DESC LIMIT 1`;

interface StateRow {
  readonly type: string;
  readonly stateKey: string;
  readonly eventId: string;
  readonly membership: string | null;
}
interface EventRow {
  readonly eventId: string;
  readonly position: number | null;
  readonly rejection: string | null;
  readonly stateGroup: number | null;
  readonly madeTs: number;
  readonly body: string | null;
  readonly prevEvents: string;
}

function standingOf({ position, rejection }: EventRow): string {
  if (rejection !== null) return rejection;
  return position === null ? 'outlier' : 'timeline';
}

/** Looks into the database of a server. */
export interface Inspection {
  room(roomId: string): RoomHeld;
  /** Rooms of which a server waits for an event. */
  unsent(): number;
  close(): void;
}

/** Opens a connection of its own. */
export function inspect({ database, name }: MemberServer): Inspection {
  const connection = openReadConnection(database.path);
  const ofRoom = [STATE, EVENTS, STAY].map((sql) => connection.prepare(sql));
  const read = (which: number, roomId: string): unknown[] => ofRoom[which]?.all({ roomId }) ?? [];
  const hosts = connection.prepare(readHostInGroup.sql);
  const unsent = connection.prepare('SELECT count(*) AS count FROM unsent_events');
  return {
    room(roomId) {
      const entries = read(0, roomId) as StateRow[];
      const rows = read(1, roomId) as EventRow[];
      const joined = entries.filter(({ membership }) => membership === 'join');
      const inRoom = new Set(joined.map(({ stateKey }) => stateKey.slice(stateKey.indexOf(':') + 1)));
      const standings = new Map(rows.map((row) => [row.eventId, standingOf(row)]));
      const bodies = new Map<string, string[]>();
      const [stay] = read(2, roomId) as { readonly sinceTs: number }[];
      const byId = new Map(rows.map((row) => [row.eventId, row]));
      const previous = new Map(
        rows.map(({ eventId, prevEvents }) => [eventId, JSON.parse(prevEvents) as readonly string[]]),
      );
      for (const { eventId, body, rejection } of rows)
        if (typeof body === 'string' && rejection === null)
          bodies.set(body, [...(bodies.get(body) ?? []), eventId]);
      return {
        isInside: inRoom.has(name),
        hosts: inRoom,
        state: new Map(entries.map(({ type, stateKey, eventId }) => [`${type} ${stateKey}`, eventId])),
        events: standings,
        edges: new Set(
          rows
            .filter(({ eventId }) => previous.get(eventId)?.some((id) => !isThere(standings.get(id))))
            .map(({ eventId }) => eventId),
        ),
        bodies,
        previous,
        sinceTs: stay?.sinceTs ?? 0,
        madeTs: (eventId) => byId.get(eventId)?.madeTs ?? 0,
        wasIn(eventId, server) {
          const found = hosts.all({ stateGroup: byId.get(eventId)?.stateGroup ?? null, host: server });
          return (found as { readonly membership: unknown }[]).some(
            ({ membership }) => membership === 'join',
          );
        },
      };
    },
    unsent: () => (unsent.get({}) as { readonly count: number }).count,
    close: () => connection.close(),
  };
}

/** Where the two differ in what must be the same: text, the first few. */
export interface Differences {
  readonly state: readonly string[];
  readonly events: readonly string[];
}

function stateDifferences(one: RoomHeld, other: RoomHeld): string[] {
  const keys = new Set([...one.state.keys(), ...other.state.keys()]);
  return [...keys]
    .filter((key) => one.state.get(key) !== other.state.get(key))
    .map((key) => `${key}: ${one.state.get(key)} and ${other.state.get(key)}`);
}

/** A soft failure is how one server sees an event; that it is there, and allowed where it stands, is the same for all. */
export function isThere(standing: string | undefined): boolean {
  return standing === 'timeline' || standing?.startsWith('soft-failed') === true;
}

/** What one server holds that what another one holds leads back to. */
function ledBackTo(one: RoomHeld, other: RoomHeld): ReadonlySet<string> {
  const reached = new Set([...other.events].filter(([, how]) => isThere(how)).map(([eventId]) => eventId));
  for (const eventId of reached) for (const id of one.previous.get(eventId) ?? []) reached.add(id);
  return reached;
}

/**
 * Whether an event that one server holds is to be with another one: that has been in the room ever since it was made, or holds what leads back to it.
 * What was said in an earlier stay of either of them, and is on no way back from here, is nothing to it.
 */
export function isOwed(one: RoomHeld, other: RoomHeld, server: string): (eventId: string) => boolean {
  const reached = ledBackTo(one, other);
  return (eventId) =>
    reached.has(eventId) || (one.madeTs(eventId) > other.sinceTs && one.wasIn(eventId, server));
}

/**
 * How events have to stand with others: in the graph; or, in a room that a server came back to early, with what it has decided. What it made of the room
 * then is the state that somebody gave who had not heard of all that it had done there, and others may judge by another one.
 */
export function hasArrived(standing: string | undefined, isEarly: boolean): boolean {
  return isThere(standing) || (isEarly && standing?.startsWith('rejected') === true);
}

function eventDifferences(one: RoomHeld, [server, other]: Named, isEarly: boolean): string[] {
  const isTheirs = isOwed(one, other, server);
  return [...one.events]
    .filter(
      ([eventId, standing]) =>
        // What is soft-failed here no client sees, and no state here comes of it: whether others have it is asked of who has it in the timeline.
        standing === 'timeline' &&
        !one.edges.has(eventId) &&
        !hasArrived(other.events.get(eventId), isEarly) &&
        isTheirs(eventId),
    )
    .map(
      ([eventId, standing]) =>
        `${eventId} is ${standing}, and there ${other.events.get(eventId) ?? 'unknown'}`,
    );
}

type Named = readonly [name: string, held: RoomHeld];

/** Each has the other in the room: what is said there goes both ways. */
function areTogether([one, here]: Named, [other, there]: Named): boolean {
  return one !== other && here.hosts.has(other) && there.hosts.has(one);
}

/**
 * Servers that take themselves for members of a room, of which others in it, who take themselves for members as well, know nothing: whatever
 * put them out did not reach them, and nothing more is sent to them.
 */
export function ghostsIn(servers: readonly Named[]): readonly string[] {
  const inside = servers.filter(([, { isInside }]) => isInside);
  return inside
    .filter(([name]) => inside.some(([other, { hosts }]) => other !== name && !hosts.has(name)))
    .map(([name]) => name);
}

/**
 * What the servers of a room do not agree about, each with each that it is in the room with.
 *
 * @param isEarly a server came back to it early: see {@link hasArrived}
 */
export function differencesIn(roomId: string, servers: readonly Named[], isEarly: boolean): Differences {
  const pairs = servers
    .filter(([, { isInside }]) => isInside)
    .flatMap((one) =>
      servers.filter((other) => areTogether(one, other)).map((other) => [one, other] as const),
    );
  return {
    state: pairs
      .filter(([[one], [other]]) => one < other && !isEarly)
      .flatMap(([[one, held], [other, there]]) =>
        stateDifferences(held, there).map((text) => `${roomId} at ${one} and ${other}: ${text}`),
      ),
    events: pairs.flatMap(([[one, held], [other, there]]) =>
      eventDifferences(held, [other, there], isEarly).map(
        (text) => `${roomId} at ${one} (not at ${other}): ${text}`,
      ),
    ),
  };
}
