import type { WriteStep } from '../../db/kit/write-set.ts';
import { isFollowedByOthers, type PlacedEntry, readPlacedIds } from '../../db/rooms/completion-reader.ts';
import { prepareState } from '../../db/rooms/completion-writer.ts';
import { findEvent } from '../../db/rooms/event-reader.ts';
import type { ForwardExtremity } from '../../db/rooms/head-reader.ts';
import { type KnownEvent, readKnownEvents, type Receipt } from '../../db/rooms/inbound-reader.ts';
import type { StateGroupWrite } from '../../db/rooms/state-group-writer.ts';
import { findStateOfGroup } from '../../db/rooms/state-reader.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import {
  type Incoming,
  judgeAtCurrent,
  judgeStanding,
  POLICY_REASON,
  type Standing,
} from './assess-event.ts';
import { type Branch, type BranchDesk, planBranch } from './branch-state.ts';
import { isRedaction } from './held-redactions.ts';
import { isRejected } from './judge-event.ts';
import { planHead, stateAfter } from './place-event.ts';
import type { Room } from './room-memory.ts';
import { createRoomState, type RoomState } from './room-state.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { referenceOf } from './stored-pdu.ts';

/** The join of a partial room, with the whole state before it. */
export interface WholeStart {
  readonly roomNid: number;
  readonly roomId: string;
  readonly version: RoomVersion;
  readonly join: {
    readonly eventNid: number;
    readonly eventId: string;
    readonly depth: number;
    readonly pdu: string;
  };
  /** The state after the join. */
  readonly stateGroup: number;
}

/** What becomes of an event. */
export interface WholeEvent {
  readonly eventNid: number;
  readonly eventId: string;
  /** The state after it, of a rejected one the state before it. */
  readonly stateGroup: number;
  readonly rejection: string | null;
  readonly isWaiting: boolean;
  readonly isGiven: boolean;
  /** What it follows and was not accepted. */
  readonly followed: readonly string[];
  readonly isRedaction: boolean;
  /** Of a redaction that is allowed as an event: the state before it. */
  readonly redaction: { readonly pdu: Pdu; readonly before: Branch } | null;
}

/** The current state as of a position of the events stream. */
export interface Moment {
  readonly position: number;
  readonly stateGroup: number;
}

/**
 * What a room would be had its state been known whole from the join on: all that came since is taken in again, in the same order and by the same
 * rules, beside what is stored. Every state in it has a number of its own, so that nobody who holds a number has to be told: what is stored for a
 * number, and what caches of other threads have of it, never changes.
 */
export interface WholeWorld {
  readonly events: ReadonlyMap<string, WholeEvent>;
  readonly moments: readonly Moment[];
  /** What the next event follows, by number. */
  extremities(): readonly number[];
  /** The current state, and whether it is what several extremities resolve to. */
  current(): { readonly stateGroup: number; readonly isResolved: boolean };
  /** Those of some events that are stored, with what is decided about them here. */
  readonly known: BranchDesk['known'];
  /** Takes in what came next. Refused as the resolver and as storage refuse. */
  place(entry: PlacedEntry): Promise<Refusal | undefined>;
}

/** What it takes. */
export interface WholeDesk extends Pick<RoomsDesk, 'db' | 'resolver' | 'stage'> {
  /** Stores states beside what the room has. */
  readonly write: (steps: readonly WriteStep[]) => Promise<Refusal | undefined>;
}

/** As of the first time that it was looked at: not stored. */
const NEW: Omit<Receipt, 'isFollowed' | 'stateGroup'> = {
  eventNid: null,
  roomNid: null,
  rejection: null,
  isWaiting: false,
  isAwaited: false,
  isRedactionTarget: false,
  isJoined: true,
};

function textOf({ rejection }: Pick<Standing, 'rejection'>): string | null {
  return rejection === null ? null : `${rejection.kind}: ${rejection.reason}`;
}

/** What no state has to do with stays: that the policy server of the room did not sign it. */
function policyRejection({ rejection }: PlacedEntry): Standing['rejection'] {
  const prefix = 'soft-failed: ';
  if (rejection?.startsWith(`${prefix}${POLICY_REASON}`) !== true) return null;
  return { kind: 'soft-failed', reason: rejection.slice(prefix.length) };
}

function stateOf(desk: WholeDesk, { roomId, version }: WholeStart, stateGroup: number): RoomState {
  return createRoomState({
    roomId,
    version,
    async find(type, stateKey) {
      const eventId = await findStateOfGroup(desk.db, stateGroup, type, stateKey);
      return eventId === undefined ? undefined : findEvent(desk.db, eventId);
    },
  });
}

/** The world, as far as it has come. */
interface World {
  readonly desk: WholeDesk;
  readonly start: WholeStart;
  readonly events: Map<string, WholeEvent>;
  readonly moments: Moment[];
  /** What accepted events and the join follow, and that was not accepted by then. */
  readonly followed: Set<string>;
  readonly nids: Map<string, number>;
  /** The texts of events that count here and are stored as rejected: the resolver reads what is stored. */
  readonly accepted: Map<string, string>;
  extremities: readonly ForwardExtremity[];
  isResolved: boolean;
  room: Room;
}

function roomOf(desk: WholeDesk, start: WholeStart): Room {
  const { roomNid, roomId, version, join, stateGroup } = start;
  return {
    roomNid,
    roomId,
    version,
    isPartial: false,
    state: stateOf(desk, start, stateGroup),
    extremities: [],
    depth: join.depth,
    stateGroup,
    redacting: new Set(),
    annotating: new Set(),
    holds: 0,
  };
}

function begin(desk: WholeDesk, start: WholeStart): World {
  const { join, stateGroup } = start;
  const joined: WholeEvent = {
    eventNid: join.eventNid,
    eventId: join.eventId,
    stateGroup,
    rejection: null,
    isWaiting: false,
    isGiven: true,
    followed: [],
    isRedaction: false,
    redaction: null,
  };
  return {
    desk,
    start,
    events: new Map([[join.eventId, joined]]),
    moments: [],
    followed: new Set(edgeIds((JSON.parse(join.pdu) as Pdu).prev_events)),
    nids: new Map([[join.eventId, join.eventNid]]),
    accepted: new Map(),
    extremities: [{ eventId: join.eventId, depth: join.depth, stateGroup, pdu: join.pdu }],
    isResolved: false,
    room: roomOf(desk, start),
  };
}

async function readKnown(
  { desk: { db }, events }: World,
  eventIds: readonly string[],
): Promise<ReadonlyMap<string, KnownEvent>> {
  const stored = await readKnownEvents(db, eventIds);
  const others = [...stored.values()].filter(
    (event) => !events.has(event.eventId) && event.stateGroup !== null,
  );
  const later = await readPlacedIds(
    db,
    others.map(({ eventId }) => eventId),
  );
  const here = new Map<string, KnownEvent>();
  for (const [eventId, event] of stored) {
    const own = events.get(eventId);
    if (own !== undefined) {
      const { stateGroup, rejection, isWaiting } = own;
      here.set(eventId, { ...event, stateGroup, rejection, isWaiting });
      continue;
    }
    // It came into the graph after what is looked at.
    here.set(eventId, later.has(eventId) ? { ...event, stateGroup: null } : event);
  }
  return here;
}

type PlacingDesk = BranchDesk & Pick<RoomsDesk, 'stage'>;

function placingDesk(world: World): PlacingDesk {
  const { db, resolver, stage } = world.desk;
  return {
    db,
    stage,
    known: (eventIds) => readKnown(world, eventIds),
    resolver: {
      resolve(task) {
        const accepted = [...world.accepted].map(([eventId, pdu]) => ({ eventId, pdu }));
        return resolver.resolve({ ...task, unstored: [...task.unstored, ...accepted] });
      },
    },
  };
}

async function incomingOf(
  { desk, start, followed }: World,
  entry: PlacedEntry,
  before: WholeEvent | undefined,
): Promise<Incoming> {
  const { eventId, pdu: json, receivedFrom } = entry;
  const { sha256 } = referenceOf(start.version, eventId, json);
  const isFollowed =
    followed.has(eventId) || (await isFollowedByOthers(desk.db, eventId, start.join.eventNid));
  return {
    event: { eventId, pdu: JSON.parse(json) as Pdu, json, sha256 },
    receipt: { ...NEW, stateGroup: before?.stateGroup ?? null, isFollowed },
    receivedFrom,
    stateBefore: null,
    isFinal: true,
  };
}

/** One whose state was given has that state for ever: it may only soft-fail, or not. */
async function judgeGiven({ room }: World, entry: PlacedEntry, incoming: Incoming): Promise<Standing> {
  if (entry.stateGroup === null) throw new Error(`${entry.eventId} was placed and has no state`);
  const before: Branch = { stateGroup: entry.stateGroup, changes: [] };
  const rejection = isRejected(entry.rejection)
    ? { kind: 'rejected' as const, reason: (entry.rejection ?? '').slice('rejected: '.length) }
    : await judgeAtCurrent(room, incoming.event.pdu, []);
  return { kind: 'assessed', before, isGiven: true, rejection, missing: [] };
}

async function judge(
  world: World,
  desk: PlacingDesk,
  entry: PlacedEntry,
  incoming: Incoming,
  isGiven: boolean,
): Promise<Standing | Refusal> {
  if (isGiven) return judgeGiven(world, entry, incoming);
  const standing = await judgeStanding(desk, world.room, incoming, world.extremities);
  if (standing.kind === 'missing')
    throw new Error(`${entry.eventId} follows ${standing.prevEvents.join(', ')}, which were known`);
  if (isRefusal(standing) || !entry.isWaiting || standing.rejection?.kind === 'rejected') return standing;
  // What it waited for had not come by then: there is another entry for when it had.
  return { ...standing, rejection: { kind: 'rejected', reason: 'auth events were not known by then' } };
}

/** The event becomes part of the graph: what is followed, and the current state, change. */
async function advance(
  world: World,
  desk: PlacingDesk,
  entry: PlacedEntry,
  incoming: Incoming,
  states: { readonly after: Branch; readonly write: StateGroupWrite },
): Promise<{ readonly steps: readonly WriteStep[]; readonly followed: readonly string[] } | Refusal> {
  const { start, nids, room } = world;
  const { write } = states;
  const head = await planHead(desk, room, incoming, world.extremities, states);
  if (head === null || isRefusal(head)) return head ?? { steps: [], followed: [] };
  const { kept, isAdded, followed } = head.extremities;
  const { eventId, depth, pdu } = entry;
  const own = isAdded ? [{ eventId, depth, stateGroup: write.stateGroup, pdu }] : [];
  const nidOf = (one: ForwardExtremity): number => nids.get(one.eventId) ?? 0;
  world.extremities = [...kept, ...own].toSorted((left, right) => nidOf(left) - nidOf(right));
  const { resolved, stateGroup } = head.state;
  world.isResolved = resolved !== null;
  if (stateGroup !== room.stateGroup)
    world.room = { ...room, state: stateOf(world.desk, start, stateGroup), stateGroup };
  for (const id of followed) world.followed.add(id);
  const isNew = resolved?.kind === 'new' && resolved.stateGroup !== write.stateGroup;
  return { steps: isNew ? prepareState(start.roomNid, resolved) : [], followed };
}

/** Takes in an event that is not accepted here yet. */
async function placeOne(
  world: World,
  entry: PlacedEntry,
  before: WholeEvent | undefined,
): Promise<Refusal | undefined> {
  const { eventId, eventNid } = entry;
  const desk = placingDesk(world);
  const incoming = await incomingOf(world, entry, before);
  const isGiven = before?.isGiven ?? entry.isGiven;
  const judged = await judge(world, desk, entry, incoming, isGiven);
  if (isRefusal(judged)) return judged;
  const standing = judged.rejection === null ? { ...judged, rejection: policyRejection(entry) } : judged;
  const after = isGiven ? standing.before : await stateAfter(desk, incoming, standing);
  const write = planBranch(after, desk.stage.numbers);
  const isOfGraph = standing.rejection === null;
  const advanced = isOfGraph ? await advance(world, desk, entry, incoming, { after, write }) : null;
  if (isRefusal(advanced)) return advanced;
  const steps = [...prepareState(world.start.roomNid, write), ...(advanced?.steps ?? [])];
  const refusal = steps.length === 0 ? undefined : await world.desk.write(steps);
  if (refusal !== undefined) return refusal;
  const { pdu } = incoming.event;
  world.events.set(eventId, {
    eventNid,
    eventId,
    stateGroup: write.stateGroup,
    rejection: textOf(standing),
    isWaiting: entry.isWaiting || standing.missing.length > 0,
    isGiven,
    followed: advanced?.followed ?? [],
    isRedaction: isRedaction(pdu),
    redaction: isOfGraph && isRedaction(pdu) ? { pdu, before: standing.before } : null,
  });
  if (standing.rejection?.kind !== 'rejected' && isRejected(entry.rejection))
    world.accepted.set(eventId, entry.pdu);
  return undefined;
}

function currentOf({ room, isResolved }: World): ReturnType<WholeWorld['current']> {
  if (room.stateGroup === null) throw new Error(`the room ${room.roomId} has no state`);
  return { stateGroup: room.stateGroup, isResolved };
}

/** Makes the world as of the join. */
export function createWholeWorld(desk: WholeDesk, start: WholeStart): WholeWorld {
  const world = begin(desk, start);
  const { events, moments, nids } = world;
  return {
    events,
    moments,
    known: (eventIds) => readKnown(world, eventIds),
    async place(entry) {
      const { eventId, eventNid, position } = entry;
      nids.set(eventId, eventNid);
      const before = events.get(eventId);
      const refusal = before?.rejection === null ? undefined : await placeOne(world, entry, before);
      if (refusal !== undefined) return refusal;
      moments.push({ position, stateGroup: currentOf(world).stateGroup });
      return undefined;
    },
    extremities: () => world.extremities.map(({ eventId }) => nids.get(eventId) ?? 0),
    current: () => currentOf(world),
  };
}
