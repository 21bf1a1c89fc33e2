import { openReadConnection } from '../../db/kit/sqlite.ts';
import type { JsonObject } from '../../src/kit/json.ts';

/** An event as it was committed; or, without a type, that this server has left a room. */
export interface CommittedEvent {
  readonly position: number;
  /** Of a departure {@link departureName}, which several may have. */
  readonly eventId: string;
  readonly roomId: string;
  readonly type: string;
  readonly stateKey: string | null;
  readonly content: JsonObject;
  readonly redacts: string | null;
}

/** What a room's members make of it, from a position on. */
interface RoomMoment {
  readonly position: number;
  readonly hosts: string;
  readonly joined: number;
  readonly invited: number;
  readonly isNamed: boolean;
}

/** A value of something, from a position on. */
interface Moment<Value> {
  readonly position: number;
  readonly value: Value;
}

interface RoomHistory {
  members: Map<string, string>;
  readonly moments: RoomMoment[];
  isNamed: boolean;
}

interface EventRecord {
  readonly position: number;
  readonly eventId: string;
  readonly roomId: string;
  /** Null: this server has left the room. */
  readonly pdu: string | null;
}

/** What storage holds, as one reader sees it who looks after every commit: the yardstick of everything else. */
export interface Committed {
  /** Reads what was committed since the last call. */
  refresh(): void;
  head(stream: string): number;
  readonly events: readonly CommittedEvent[];
  eventAt(position: number): CommittedEvent | undefined;
  positionOf(eventId: string): number | undefined;
  /** The last change of a user's membership of any room, up to a position: room → position. */
  membershipChanges(userId: string, upTo: number): ReadonlyMap<string, number>;
  /** All that was true of a room at `from` or later. */
  roomMoments(roomId: string, from: number): readonly RoomMoment[];
  ignored(userId: string, from: number): readonly string[];
  /** The position of the redaction of an event. */
  redactedAt(eventId: string): number | undefined;
  /** The position of what is stored of a user's account data of one type. */
  accountDataAt(userId: string, type: string): number;
  readonly rooms: readonly string[];
  stateChanges(roomId: string): number;
  /** What is wrong with what was committed. */
  readonly faults: string[];
  close(): void;
}

const EVENTS = `
  SELECT e.stream_ordering AS position, e.event_id AS eventId, r.room_id AS roomId, e.pdu
    FROM events e JOIN rooms r ON r.room_nid = e.room_nid
   WHERE e.stream_ordering > :from
   UNION ALL
  SELECT c.position, e.event_id, r.room_id, e.pdu
    FROM state_changes c JOIN rooms r ON r.room_nid = c.room_nid JOIN events e ON e.event_nid = c.event_nid
   WHERE c.position > :from
   UNION ALL
  SELECT position, change || ' ' || room_id, room_id, NULL FROM room_changes WHERE position > :from
   ORDER BY 1`;
const MARKS = `SELECT stream, position FROM stream_positions WHERE direction = 'forward'`;
const ACCOUNT_DATA = `
  SELECT user_id AS userId, room_id AS roomId, type, content, stream_id AS position
    FROM account_data WHERE stream_id > :from ORDER BY stream_id`;
/** What holds at `from` or later: the last before it, and all after it. */
function since<M extends { readonly position: number }>(moments: readonly M[], from: number): readonly M[] {
  let first = moments.length;
  while (first > 0 && (moments[first - 1]?.position ?? 0) > from) first -= 1;
  return moments.slice(Math.max(0, first - 1));
}

function append<Value>(map: Map<string, Moment<Value>[]>, key: string, moment: Moment<Value>): void {
  const moments = map.get(key);
  if (moments === undefined) map.set(key, [moment]);
  else moments.push(moment);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What stands for the id where a room changed without an event. */
export function departureName(change: string, roomId: string): string {
  return `${change} ${roomId}`;
}

function parseEvent({ position, eventId, roomId, pdu }: EventRecord): CommittedEvent {
  if (pdu === null)
    return { position, eventId, roomId, type: '', stateKey: null, content: {}, redacts: null };
  const event = JSON.parse(pdu) as JsonObject;
  const content = event['content'] as JsonObject;
  const redacts = event['redacts'] ?? content['redacts'];
  return {
    position,
    eventId,
    roomId,
    type: textOf(event['type']),
    stateKey: typeof event['state_key'] === 'string' ? event['state_key'] : null,
    content,
    redacts: typeof redacts === 'string' ? redacts : null,
  };
}

function momentOf(room: RoomHistory, position: number): RoomMoment {
  const count = (wanted: string): number =>
    [...room.members.values()].filter((membership) => membership === wanted).length;
  const hosts = new Set(
    [...room.members].flatMap(([user, membership]) =>
      membership === 'join' ? [user.slice(user.indexOf(':') + 1)] : [],
    ),
  );
  return {
    position,
    hosts: [...hosts].toSorted().join(),
    joined: count('join'),
    invited: count('invite'),
    isNamed: room.isNamed,
  };
}

/** Opens a reader of its own on the database. */
export function openCommitted(path: string): Committed {
  const connection = openReadConnection(path);
  const statements = {
    events: connection.prepare(EVENTS),
    marks: connection.prepare(MARKS),
    accountData: connection.prepare(ACCOUNT_DATA),
  };
  const events: CommittedEvent[] = [];
  const positions = new Map<string, number>();
  const rooms = new Map<string, RoomHistory>();
  const memberships = new Map<string, Moment<string>[]>();
  const ignored = new Map<string, Moment<string>[]>();
  const redactions = new Map<string, number>();
  const accountData = new Map<string, number>();
  const stateChanges = new Map<string, number>();
  const heads = new Map<string, number>();
  const faults: string[] = [];

  const takeState = (event: CommittedEvent, room: RoomHistory): void => {
    const { position, roomId, type, stateKey, content } = event;
    if (stateKey === null) return;
    stateChanges.set(roomId, (stateChanges.get(roomId) ?? 0) + 1);
    if (type === 'm.room.member') {
      room.members.set(stateKey, textOf(content['membership']));
      append(memberships, stateKey, { position, value: roomId });
    } else if (type === 'm.room.name') room.isNamed = content['name'] !== '';
    else return;
    room.moments.push(momentOf(room, position));
  };
  const takeEvent = (event: CommittedEvent): void => {
    const { position, eventId, roomId } = event;
    const isDeparture = event.type === '';
    if (positions.has(eventId) && !isDeparture) faults.push(`${eventId} was committed twice`);
    const last = events[events.length - 1]?.position ?? 0;
    if (position !== last + 1) faults.push(`event position ${position} follows ${last}`);
    positions.set(eventId, position);
    events.push(event);
    let room = rooms.get(roomId);
    if (room === undefined) rooms.set(roomId, (room = { members: new Map(), moments: [], isNamed: false }));
    if (isDeparture) {
      // Nothing of its state is known from here on.
      room.members = new Map();
      room.isNamed = false;
      room.moments.push(momentOf(room, position));
    }
    takeState(event, room);
    if (event.redacts !== null && event.type === 'm.room.redaction') redactions.set(event.redacts, position);
  };
  const takeMarks = (): void => {
    for (const { stream, position } of statements.marks.all() as { stream: string; position: number }[]) {
      if (position < (heads.get(stream) ?? 0)) faults.push(`the mark of ${stream} fell to ${position}`);
      heads.set(stream, position);
    }
  };
  const takeAccountData = (from: number): void => {
    type Row = { userId: string; roomId: string; type: string; content: string; position: number };
    for (const row of statements.accountData.all({ from }) as Row[]) {
      accountData.set(`${row.userId} ${row.type}`, row.position);
      if (row.type !== 'm.ignored_user_list') continue;
      const { ignored_users: users } = JSON.parse(row.content) as { ignored_users: object };
      append(ignored, row.userId, { position: row.position, value: Object.keys(users).toSorted().join() });
    }
  };
  return {
    refresh() {
      const before = new Map(heads);
      takeMarks();
      const hasMoved = (stream: string): boolean => heads.get(stream) !== before.get(stream);
      if (hasMoved('events'))
        for (const row of statements.events.all({ from: before.get('events') ?? 0 }) as EventRecord[])
          takeEvent(parseEvent(row));
      if (hasMoved('account-data')) takeAccountData(before.get('account-data') ?? 0);
    },
    head: (stream) => heads.get(stream) ?? 0,
    events,
    eventAt: (position) => events[position - 1],
    positionOf: (eventId) => positions.get(eventId),
    membershipChanges(userId, upTo) {
      const last = new Map<string, number>();
      for (const { position, value } of memberships.get(userId) ?? [])
        if (position <= upTo) last.set(value, position);
      return last;
    },
    roomMoments: (roomId, from) => since(rooms.get(roomId)?.moments ?? [], from),
    ignored: (userId, from) => {
      const moments = ignored.get(userId) ?? [];
      const held = since(moments, from).map(({ value }) => value);
      return (moments[0]?.position ?? Infinity) > from ? ['', ...held] : held;
    },
    redactedAt: (eventId) => redactions.get(eventId),
    accountDataAt: (userId, type) => accountData.get(`${userId} ${type}`) ?? 0,
    get rooms() {
      return [...rooms.keys()];
    },
    stateChanges: (roomId) => stateChanges.get(roomId) ?? 0,
    faults,
    close: () => connection.close(),
  };
}
