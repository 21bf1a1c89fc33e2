import {
  findCurrentStateEvent,
  findStateGroupAt,
  findStateOfGroup,
  readCurrentState,
  readStateDifference,
  type StateEntry,
} from '../../db/rooms/state-reader.ts';
import {
  type PositionedStateChange,
  readPositionedStateChanges,
  readRoomChanges,
} from '../../db/rooms/sync-reader.ts';
import { getGroupState } from './caches/state-of-group.ts';
import { isStateBeforePurged } from './purged-gap.ts';
import { readRecentStateChanges } from './recent-events.ts';
import { findStayStart } from './server-stay.ts';
import type { ReadServices } from './sync-services.ts';
import type { Timeline } from './timeline.ts';

/** A room's part of an answer: what its state is to be told of. */
export interface RoomWindow {
  readonly roomId: string;
  /** Exclusive: what the client has already. */
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
  readonly timeline: Timeline;
  /** The client has nothing of the room, or wants everything. */
  readonly isFull: boolean;
  /** The user is in the room no more: its state is that of the end of the window, whatever came later. */
  readonly isEnded: boolean;
}

type State = Map<string, StateEntry>;

function keyOf(entry: { readonly type: string; readonly stateKey: string }): string {
  return `${entry.type}\u0000${entry.stateKey}`;
}

function toState(entries: readonly StateEntry[]): State {
  return new Map(entries.map((entry) => [keyOf(entry), entry]));
}

/** The position of the first event of the window's timeline; just after the window when it has none. */
export function startOf(window: RoomWindow): number {
  return window.timeline.items[0]?.entry.position ?? window.to + 1;
}

/** The state of a room after its last event at or before `position`, ids only. */
export async function readStateAtPosition(
  services: ReadServices,
  roomId: string,
  position: number,
): Promise<readonly StateEntry[]> {
  const group = await findStateGroupAt(services.db, roomId, position);
  return group === undefined ? [] : [...(await getGroupState(services.cached, group)).values()];
}

/** Changes of (from, position], seen from the states at both ends. */
async function readGap(services: ReadServices, window: RoomWindow, position: number): Promise<State> {
  const { roomId, from } = window;
  const fromGroup = await findStateGroupAt(services.db, roomId, from);
  const toGroup = await findStateGroupAt(services.db, roomId, position);
  if (toGroup === undefined) return new Map();
  const changes = await readStateDifference(services.db, fromGroup ?? null, toGroup);
  return toState(changes.filter((change): change is StateEntry => change.eventId !== null));
}

/**
 * All state at the start of a window's timeline. Before the first event of a later stay of this server, or after a purge, nothing is known of the
 * room: there it is the state after that event, without the event.
 */
async function readFullState(services: ReadServices, window: RoomWindow): Promise<State> {
  const { roomId, to, timeline } = window;
  const before = startOf(window) - 1;
  const first = timeline.items[0]?.entry;
  const isFirstOfStay = before === (await findStayStart(services, roomId, to));
  const isKnown = !isFirstOfStay && !(await isStateBeforePurged(services, roomId, before));
  if (isKnown || first?.stateGroup === undefined || first.stateGroup === null)
    return toState(await readStateAtPosition(services, roomId, before));
  const after = [...(await getGroupState(services.cached, first.stateGroup)).values()];
  return toState(after.filter(({ eventId }) => eventId !== first.eventId));
}

/**
 * The state at the start of a window's timeline: all of it, or what changed since the client's position. Changes of state within the window that its
 * timeline does not show (filtered out, or made by state resolution alone) are in it too, so that the client ends with the right state.
 * Client-Server API v1.19, "Syncing", `state`.
 */
export async function readStateAtStart(services: ReadServices, window: RoomWindow): Promise<StateEntry[]> {
  const { roomId, to, timeline } = window;
  const before = startOf(window) - 1;
  const state = window.isFull
    ? await readFullState(services, window)
    : timeline.isWhole
      ? new Map<string, StateEntry>()
      : await readGap(services, window, before);
  const shown = new Set(timeline.items.map((item) => item.entry.eventId));
  const from = window.isFull ? before : Math.max(before, window.from);
  for (const change of await readRecentStateChanges(services, roomId, from, to)) {
    const { type, stateKey, eventId } = change;
    if (eventId === null) state.delete(keyOf(change));
    else if (!shown.has(eventId)) state.set(keyOf(change), { type, stateKey, eventId });
  }
  return [...state.values()];
}

/** Current state as of `to`: entries that changed after it are taken from the state of that time; all, when this server has left since. */
async function readCurrentStateAt(services: ReadServices, roomId: string, to: number): Promise<State> {
  if ((await readRoomChanges(services.db, roomId, to, Number.MAX_SAFE_INTEGER)).length > 0)
    return toState(await readStateAtPosition(services, roomId, to));
  const state = toState(await readCurrentState(services.db, roomId));
  const ahead = await readPositionedStateChanges(services.db, roomId, to, Number.MAX_SAFE_INTEGER);
  if (ahead.length === 0) return state;
  const then = toState(await readStateAtPosition(services, roomId, to));
  for (const change of ahead) {
    const key = keyOf(change);
    const entry = then.get(key);
    if (entry === undefined) state.delete(key);
    else state.set(key, entry);
  }
  return state;
}

/** One entry of the state at the end of a window, by its last change within the window. */
async function findEntryAtEnd(
  services: ReadServices,
  window: RoomWindow,
  change: PositionedStateChange,
): Promise<StateEntry | undefined> {
  const { roomId, to, isEnded } = window;
  const { type, stateKey } = change;
  if (change.eventId === null) return undefined;
  if (!change.isTimelineEvent) return { type, stateKey, eventId: change.eventId };
  if (!isEnded) {
    const current = await findCurrentStateEvent(services.db, roomId, type, stateKey);
    if (current !== undefined && (current.streamOrdering ?? to) <= to)
      return { type, stateKey, eventId: current.eventId };
  }
  const group = await findStateGroupAt(services.db, roomId, to);
  if (group === undefined) return undefined;
  const eventId = await findStateOfGroup(services.db, group, type, stateKey);
  return eventId === undefined ? undefined : { type, stateKey, eventId };
}

/**
 * The state at the end of a window: all of it, or what changed since the client's position, the state events of the timeline included.
 * Client-Server API v1.19, "Syncing", `state_after`.
 */
export async function readStateAtEnd(services: ReadServices, window: RoomWindow): Promise<StateEntry[]> {
  const { roomId, from, to } = window;
  if (window.isFull) {
    const entries = window.isEnded
      ? await readStateAtPosition(services, roomId, to)
      : (await readCurrentStateAt(services, roomId, to)).values();
    return [...entries];
  }
  const changes = await readRecentStateChanges(services, roomId, from, to);
  const changed = new Map(changes.map((change) => [keyOf(change), change]));
  const entries = await Promise.all(
    [...changed.values()].map((change) => findEntryAtEnd(services, window, change)),
  );
  return entries.filter((entry) => entry !== undefined);
}

/** The id of an entry of a room's state after its last event at or before `position`. */
export async function findStateEventAt(
  services: ReadServices,
  roomId: string,
  type: string,
  stateKey: string,
  position: number,
): Promise<string | undefined> {
  const group = await findStateGroupAt(services.db, roomId, position);
  return group === undefined ? undefined : findStateOfGroup(services.db, group, type, stateKey);
}
