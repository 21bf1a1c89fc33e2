import type { ReadDb } from '../../db/kit/read-db.ts';
import { type KnownEvent, readKnownEvents } from '../../db/rooms/inbound-reader.ts';
import type { StateGroupChange, StateGroupWrite } from '../../db/rooms/state-group-writer.ts';
import { findStateOfGroup, readStateOfGroup } from '../../db/rooms/state-reader.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { AuthState, StateKey } from '../../src/matrix/rooms/auth-decision.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { stateName } from '../../src/matrix/state-resolution/state-map.ts';
import type { StateBranch } from '../pool/protocol.ts';
import { isRejected, pduOf } from './judge-event.ts';
import type { Resolver } from './resolution.ts';
import type { Room } from './room-memory.ts';
import { planStateGroup, type StateGroupNumbers } from './state-groups.ts';

/** A state: one that is stored, with entries laid over it that are not. */
export interface Branch {
  /** Null: nothing but the changes. */
  readonly stateGroup: number | null;
  readonly changes: readonly StateGroupChange[];
}

/** What finding a state takes. */
export interface BranchDesk {
  readonly db: ReadDb;
  readonly resolver: Resolver;
  /** Those of some events that are stored, by id, with what is decided about them. */
  known(eventIds: readonly string[]): Promise<ReadonlyMap<string, KnownEvent>>;
}

const NO_STATE: Branch = { stateGroup: null, changes: [] };

/** A branch with one more entry. */
export function layEntryOver(branch: Branch, entry: StateGroupChange): Branch {
  const others = branch.changes.filter(
    ({ type, stateKey }) => type !== entry.type || stateKey !== entry.stateKey,
  );
  return { stateGroup: branch.stateGroup, changes: [...others, entry] };
}

/** How a branch is stored; a state without any entry is stored too, for a rejected event may have it. */
export function planBranch({ stateGroup, changes }: Branch, numbers: StateGroupNumbers): StateGroupWrite {
  if (stateGroup !== null || changes.length > 0) return planStateGroup(stateGroup, changes, numbers);
  return { kind: 'new', stateGroup: numbers.next(), parent: null, changes, isCheckpoint: false };
}

/** The id of the event at one place of a branch. */
export async function findInBranch(db: ReadDb, branch: Branch, key: StateKey): Promise<string | undefined> {
  const change = branch.changes.find(({ type, stateKey }) => type === key.type && stateKey === key.stateKey);
  if (change !== undefined) return change.eventId ?? undefined;
  if (branch.stateGroup === null) return undefined;
  return findStateOfGroup(db, branch.stateGroup, key.type, key.stateKey);
}

/** The events at some places of a branch: all that the rules look at must be among them. */
export async function loadBranch(
  db: ReadDb,
  version: RoomVersion,
  branch: Branch,
  keys: readonly StateKey[],
): Promise<AuthState> {
  const idByName = new Map<string, string | undefined>();
  for (const key of keys) {
    const name = stateName(key.type, key.stateKey);
    if (!idByName.has(name)) idByName.set(name, await findInBranch(db, branch, key));
  }
  const ids = [...idByName.values()].filter((id) => id !== undefined);
  const events = await readKnownEvents(db, ids);
  const pdus = new Map<string, Pdu | undefined>();
  for (const [name, id] of idByName) {
    const event = id === undefined ? undefined : events.get(id);
    if (id !== undefined && event === undefined)
      throw new Error(`the state names ${id}, which is not stored`);
    pdus.set(name, event && pduOf(version, event));
  }
  return {
    find(type, stateKey) {
      const name = stateName(type, stateKey);
      if (!pdus.has(name)) throw new Error(`state ${type} '${stateKey}' of a branch was not loaded`);
      return pdus.get(name);
    },
  };
}

/** A state given entry by entry, as what it changes in the current one. Entries that were rejected are in no state. */
export async function branchOfEvents(
  db: ReadDb,
  room: Room,
  eventIds: readonly string[],
): Promise<Branch | Refusal> {
  const events = await readKnownEvents(db, eventIds);
  const given = new Map<string, StateGroupChange>();
  for (const eventId of eventIds) {
    const event = events.get(eventId);
    if (event === undefined || event.roomId !== room.roomId)
      return refuse('M_BAD_JSON', `the state before the event names ${eventId}, which is not known`);
    const { type, state_key: stateKey } = JSON.parse(event.pdu) as Pdu;
    if (isRejected(event.rejection)) continue;
    const name = stateKey === undefined ? undefined : stateName(type, stateKey);
    if (name === undefined || given.has(name))
      return refuse('M_BAD_JSON', `the state before the event has no place for ${eventId}`);
    given.set(name, { type, stateKey: stateKey ?? '', eventId });
  }
  if (room.stateGroup === null) return { stateGroup: null, changes: [...given.values()] };
  const changes: StateGroupChange[] = [];
  for (const { type, stateKey, eventId } of await readStateOfGroup(db, room.stateGroup)) {
    const name = stateName(type, stateKey);
    const entry = given.get(name);
    given.delete(name);
    if (entry === undefined) changes.push({ type, stateKey, eventId: null });
    else if (entry.eventId !== eventId) changes.push(entry);
  }
  return { stateGroup: room.stateGroup, changes: [...changes, ...given.values()] };
}

/**
 * The state that several others resolve to; none: no state. Nothing is resolved where there is one only.
 *
 * @returns refused as the resolver refuses
 */
export async function resolveBranches(
  desk: BranchDesk,
  room: Pick<Room, 'roomId' | 'version'>,
  branches: readonly StateBranch[],
): Promise<Branch | Refusal> {
  const [only, second] = branches;
  if (only === undefined) return NO_STATE;
  if (second === undefined) return only;
  const resolved = await desk.resolver.resolve({
    roomVersion: room.version.id,
    roomId: room.roomId,
    branches,
    unstored: [],
    comparedWith: null,
  });
  if (isRefusal(resolved)) return resolved;
  return { stateGroup: (branches[resolved.base] ?? only).stateGroup, changes: resolved.changes };
}

/** The state that several stored ones resolve to. */
function resolveGroups(desk: BranchDesk, room: Room, groups: readonly number[]): Promise<Branch | Refusal> {
  return resolveBranches(
    desk,
    room,
    groups.map((stateGroup) => ({ stateGroup, changes: [] })),
  );
}

function isSameSet<T>(left: ReadonlySet<T>, right: ReadonlySet<T>): boolean {
  return left.size === right.size && [...left].every((one) => right.has(one));
}

/**
 * The state before an event. Server-Server API v1.19, "Checks performed on receipt of a PDU", 5; each room version, "State resolution".
 *
 * @param prevEvents those of its prev_events that are in the room's graph
 * @param currentGroups the states of the room's extremities, of which the current state is made
 * @param given the ids of that state, where the prev_events cannot be had
 * @returns refused as the resolver refuses, or with M_BAD_JSON when what is given is not a state of the room
 */
export function findStateBefore(
  desk: BranchDesk,
  room: Room,
  prevEvents: readonly KnownEvent[],
  currentGroups: ReadonlySet<number>,
  given: readonly string[] | null,
): Promise<Branch | Refusal> {
  if (given !== null) return branchOfEvents(desk.db, room, given);
  const groups = new Set<number>();
  for (const { stateGroup } of prevEvents) if (stateGroup !== null) groups.add(stateGroup);
  if (room.stateGroup !== null && isSameSet(groups, currentGroups))
    return Promise.resolve({ stateGroup: room.stateGroup, changes: [] });
  return resolveGroups(
    desk,
    room,
    [...groups].toSorted((left, right) => left - right),
  );
}
