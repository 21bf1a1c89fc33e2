import type { Json, JsonObject } from '../../src/kit/json.ts';
import { okBody, type Person, type SeenEvent, textOf } from './person.ts';

/** How long what happens on one server may take to be seen on another, in milliseconds. */
const PATIENCE_MS = 15_000;
const POLL_MS = 3_000;
/** Timelines long enough that nothing is left out. */
const FILTER = '{"room":{"timeline":{"limit":200}}}';

/** A message between devices, as it comes. */
export interface SeenMessage {
  readonly type: string;
  readonly sender: string;
  readonly content: JsonObject;
}

/** What somebody has seen of the world so far. */
export interface Seen {
  /** The events of a room, timelines and states, in the order in which they came. */
  events(roomId: string): readonly SeenEvent[];
  /** The newest content of ephemeral events of a type; undefined before the first. */
  ephemeral(roomId: string, type: string): JsonObject | undefined;
  /** The stripped state of an invitation or a knock that stands. */
  invite(roomId: string): readonly SeenEvent[] | undefined;
  knock(roomId: string): readonly SeenEvent[] | undefined;
  /** In which part of the answer the room came last. */
  membership(roomId: string): 'join' | 'invite' | 'knock' | 'leave' | undefined;
  readonly toDevice: readonly SeenMessage[];
  /** Whose devices changed. */
  readonly changed: ReadonlySet<string>;
  /** Newest presence by user. */
  readonly presence: ReadonlyMap<string, JsonObject>;
}

/** Somebody who syncs while they wait for something. */
export interface Watcher {
  /** Syncs until `look` finds something in all that was seen so far. */
  until<T>(what: string, look: (seen: Seen) => T | undefined | false): Promise<T>;
}

type Section = Readonly<Record<string, JsonObject>>;

function eventsOf(holder: JsonObject, field: string): Json {
  const part = holder[field] as JsonObject | undefined;
  return part?.['events'] ?? [];
}

interface Memory extends Seen {
  take(answer: JsonObject): void;
}

function rememberRooms(
  rooms: JsonObject,
  memory: {
    readonly events: Map<string, SeenEvent[]>;
    readonly ephemeral: Map<string, JsonObject>;
    readonly stripped: Map<string, readonly SeenEvent[]>;
    readonly memberships: Map<string, ReturnType<Seen['membership']>>;
  },
): void {
  for (const membership of ['join', 'leave', 'invite', 'knock'] as const)
    for (const [roomId, room] of Object.entries((rooms[membership] ?? {}) as Section)) {
      memory.memberships.set(roomId, membership);
      const events = memory.events.get(roomId) ?? [];
      events.push(
        ...(eventsOf(room, 'state') as unknown as readonly SeenEvent[]),
        ...(eventsOf(room, 'timeline') as unknown as readonly SeenEvent[]),
      );
      memory.events.set(roomId, events);
      for (const event of eventsOf(room, 'ephemeral') as unknown as readonly SeenMessage[])
        memory.ephemeral.set(`${roomId} ${event.type}`, event.content);
      if (membership === 'invite' || membership === 'knock')
        memory.stripped.set(roomId, eventsOf(room, `${membership}_state`) as unknown as readonly SeenEvent[]);
    }
}

function createMemory(): Memory {
  const rooms = {
    events: new Map<string, SeenEvent[]>(),
    ephemeral: new Map<string, JsonObject>(),
    stripped: new Map<string, readonly SeenEvent[]>(),
    memberships: new Map<string, ReturnType<Seen['membership']>>(),
  };
  const toDevice: SeenMessage[] = [];
  const changed = new Set<string>();
  const presence = new Map<string, JsonObject>();
  const strippedIf = (roomId: string, membership: string): readonly SeenEvent[] | undefined =>
    rooms.memberships.get(roomId) === membership ? rooms.stripped.get(roomId) : undefined;
  return {
    events: (roomId) => rooms.events.get(roomId) ?? [],
    ephemeral: (roomId, type) => rooms.ephemeral.get(`${roomId} ${type}`),
    invite: (roomId) => strippedIf(roomId, 'invite'),
    knock: (roomId) => strippedIf(roomId, 'knock'),
    membership: (roomId) => rooms.memberships.get(roomId),
    toDevice,
    changed,
    presence,
    take(answer) {
      rememberRooms((answer['rooms'] ?? {}) as JsonObject, rooms);
      toDevice.push(...(eventsOf(answer, 'to_device') as unknown as readonly SeenMessage[]));
      const lists = (answer['device_lists'] ?? {}) as JsonObject;
      for (const userId of (lists['changed'] ?? []) as readonly string[]) changed.add(userId);
      for (const event of eventsOf(answer, 'presence') as unknown as readonly SeenMessage[])
        presence.set(event.sender, event.content);
    },
  };
}

/** Makes somebody watch; they have seen nothing yet. */
export function watch(person: Person): Watcher {
  const memory = createMemory();
  let since: string | undefined;
  return {
    async until(what, look) {
      const endsAt = performance.now() + PATIENCE_MS;
      for (;;) {
        const found = look(memory);
        if (found !== undefined && found !== false) return found;
        const leftMs = Math.ceil(endsAt - performance.now());
        if (leftMs <= 0) throw new Error(`${person.userId} waited ${PATIENCE_MS} ms for ${what}`);
        const query = {
          filter: FILTER,
          set_presence: 'offline',
          timeout: since === undefined ? 0 : Math.min(POLL_MS, leftMs),
          ...(since !== undefined && { since }),
        };
        const answer = okBody(await person.http.get('/_matrix/client/v3/sync', { query }), 'sync');
        since = textOf(answer, 'next_batch');
        memory.take(answer);
      }
    },
  };
}

/** The message with a text, in what was seen of a room. */
export function messageOf(seen: Seen, roomId: string, text: string): SeenEvent | undefined {
  return seen.events(roomId).findLast(({ content }) => content['body'] === text);
}

/** The newest membership of a user, in what was seen of a room. */
export function memberOf(seen: Seen, roomId: string, userId: string): SeenEvent | undefined {
  return seen
    .events(roomId)
    .findLast(({ type, state_key: stateKey }) => type === 'm.room.member' && stateKey === userId);
}
