import type { Random } from '../../../../../src/kit/random.ts';
import type { JsonObject } from '../../../../../src/kit/json.ts';

/** A place of the state, `type|state key`. */
type Place = string;

/** Event ids by place. */
export type ModelState = ReadonlyMap<Place, string>;

/** An event of a history, with all that is to be known of it. */
export interface ModelEvent {
  readonly eventId: string;
  readonly type: string;
  readonly stateKey: string | undefined;
  readonly sender: string;
  readonly content: JsonObject;
  readonly depth: number;
  readonly position: number;
  readonly prevEvents: readonly string[];
  readonly before: ModelState;
  readonly after: ModelState;
  /** It was made here, at the current state. */
  readonly isOurs: boolean;
}

/** A change of current state that its event does not make by itself. */
export interface ModelChange {
  readonly position: number;
  readonly place: Place;
  readonly eventId: string | null;
}

/** A history of a room, with branches. */
export interface ModelHistory {
  /** In the order in which they came. */
  readonly events: readonly ModelEvent[];
  readonly changes: readonly ModelChange[];
  readonly current: ModelState;
  /** One position, for the token of everything. */
  readonly end: number;
  get(eventId: string): ModelEvent;
}

export const MAKER = '@mara:example.org';
const REMOTE = '@rosa:other.example';
const MEMBERSHIPS = ['join', 'join', 'leave', 'ban', 'invite', 'knock'];
const VISIBILITIES = ['world_readable', 'shared', 'invited', 'joined', 'nonsense'];

export function placeOf(event: {
  readonly type: string;
  readonly stateKey: string | undefined;
}): Place | undefined {
  return event.stateKey === undefined ? undefined : `${event.type}|${event.stateKey}`;
}

type Draft = Pick<ModelEvent, 'type' | 'stateKey' | 'sender' | 'content'>;

function draftEvent(random: Random, users: readonly string[], number: number): Draft {
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)] as T;
  const kind = random.integer(10);
  const sender = pick([MAKER, REMOTE]);
  if (kind < 4)
    return { type: 'm.room.message', stateKey: undefined, sender, content: { body: `text ${number}` } };
  if (kind < 6)
    return {
      type: 'm.room.history_visibility',
      stateKey: '',
      sender,
      content: { history_visibility: pick(VISIBILITIES) },
    };
  if (kind < 7) return { type: 'm.room.topic', stateKey: '', sender, content: { topic: `topic ${number}` } };
  const content = { membership: pick(MEMBERSHIPS), displayname: `name ${number}` };
  return { type: 'm.room.member', stateKey: pick(users), sender, content };
}

/** What states resolve to: of different events the one with the greatest rank, and any before none. */
function resolve(states: readonly ModelState[], rankOf: (eventId: string) => number): Map<Place, string> {
  const resolved = new Map<Place, string>();
  for (const state of states)
    for (const [place, eventId] of state) {
      const held = resolved.get(place);
      if (held === undefined || rankOf(eventId) > rankOf(held)) resolved.set(place, eventId);
    }
  return resolved;
}

/** Makes a history with branches: the maker and members come first, what follows is left to chance. */
export function makeHistory(
  random: Random,
  users: readonly string[],
  count: number,
  firstPosition: number,
): ModelHistory {
  const events: ModelEvent[] = [];
  const changes: ModelChange[] = [];
  const byId = new Map<string, ModelEvent>();
  const ranks = new Map<string, number>();
  const rankOf = (eventId: string): number => ranks.get(eventId) ?? 0;
  let extremities: readonly ModelEvent[] = [];
  let current: ModelState = new Map();
  let position = firstPosition;

  const add = (draft: Draft, previous: readonly ModelEvent[]): void => {
    const eventId = `$event${firstPosition}_${events.length}`;
    ranks.set(eventId, random.integer(1_000_000));
    const before = resolve(
      previous.map(({ after }) => after),
      rankOf,
    );
    const after = new Map(before);
    const place = placeOf(draft);
    if (place !== undefined) after.set(place, eventId);
    const isAtTip = extremities.every((tip) => previous.includes(tip));
    const event: ModelEvent = {
      ...draft,
      eventId,
      depth: 1 + Math.max(0, ...previous.map(({ depth }) => depth)),
      position,
      prevEvents: previous.map((one) => one.eventId),
      before,
      after,
      isOurs: isAtTip && (events.length < 2 || random.integer(2) === 0),
    };
    position += 1;
    events.push(event);
    byId.set(eventId, event);
    extremities = [...extremities.filter((tip) => !previous.includes(tip)), event];
    const next = resolve(
      extremities.map((tip) => tip.after),
      rankOf,
    );
    const expected = new Map(current);
    if (place !== undefined) expected.set(place, eventId);
    for (const changed of new Set([...expected.keys(), ...next.keys()])) {
      if (expected.get(changed) === next.get(changed)) continue;
      changes.push({ position, place: changed, eventId: next.get(changed) ?? null });
      position += 1;
    }
    current = next;
  };
  add({ type: 'm.room.create', stateKey: '', sender: MAKER, content: { creator: MAKER } }, []);
  add(
    { type: 'm.room.member', stateKey: MAKER, sender: MAKER, content: { membership: 'join' } },
    extremities,
  );
  for (let number = 0; number < count; number += 1) {
    const way = random.integer(10);
    const old = events[Math.max(1, events.length - 1 - random.integer(6))] as ModelEvent;
    const tip = extremities[random.integer(extremities.length)] as ModelEvent;
    const previous = way < 2 ? [old] : way < 5 ? [tip] : extremities;
    add(draftEvent(random, users, number), previous.slice(0, 20));
  }
  const get = (eventId: string): ModelEvent => {
    const event = byId.get(eventId);
    if (event === undefined) throw new Error(`no ${eventId}`);
    return event;
  };
  return { events, changes, current, end: position, get };
}

/** A user's memberships one after the other, by position. */
export function membershipsOf(
  history: ModelHistory,
  userId: string,
): readonly { position: number; membership: string | null }[] {
  const place = `m.room.member|${userId}`;
  const membershipOf = (eventId: string | null): string | null =>
    eventId === null ? null : (history.get(eventId).content['membership'] as string);
  const byEvent = history.events
    .filter((event) => placeOf(event) === place)
    .map(({ position, eventId }) => ({ position, membership: membershipOf(eventId) }));
  const byChange = history.changes
    .filter((change) => change.place === place)
    .map(({ position, eventId }) => ({ position, membership: membershipOf(eventId) }));
  return [...byEvent, ...byChange].toSorted((a, b) => a.position - b.position);
}

/** The last position at which the user was in the room; null for never, the end for who is in it. */
export function lastIn(history: ModelHistory, userId: string): number | null {
  let last: number | null = null;
  const memberships = membershipsOf(history, userId);
  for (let position = 0; position <= history.end; position += 1) {
    const before = memberships.findLast((one) => one.position < position);
    const now = memberships.findLast((one) => one.position <= position);
    // Whoever leaves is told of it: that is a part of the stay.
    if (now?.membership === 'join' || before?.membership === 'join') last = position;
  }
  return last;
}

/** The five rules and the two exceptions of the specification, one after the other. */
export function mayKnow(history: ModelHistory, userId: string, event: ModelEvent): boolean {
  const place = `m.room.member|${userId}`;
  const contentAt = (state: ModelState, at: Place): JsonObject => {
    const eventId = state.get(at);
    return eventId === undefined ? {} : history.get(eventId).content;
  };
  const isOwn = placeOf(event) === place;
  const ruling = 'm.room.history_visibility|';
  const visibilities = [event.before, ...(placeOf(event) === ruling ? [event.after] : [])].map((state) => {
    const value = contentAt(state, ruling)['history_visibility'];
    return value === 'nonsense' || value === undefined ? 'shared' : value;
  });
  const memberships = [event.before, ...(isOwn ? [event.after] : [])].map(
    (state) => contentAt(state, place)['membership'],
  );
  const last = lastIn(history, userId);
  const isInLater = last !== null && last >= event.position;
  if (visibilities.includes('world_readable')) return true;
  if (memberships.includes('join')) return true;
  if (visibilities.includes('shared') && isInLater) return true;
  if (visibilities.includes('invited') && memberships.includes('invite')) return true;
  return isOwn;
}
