import { step, type WriteStep } from '../../db/kit/write-set.ts';
import { type KnownEvent, readKnownEvents } from '../../db/rooms/inbound-reader.ts';
import {
  holdStoredRedaction,
  insertFollowedEvent,
  redactStoredEvent,
  storeInboundEvent,
} from '../../db/rooms/inbound-writer.ts';
import {
  type StateGroupChange,
  type StateGroupWrite,
  storeStateGroup,
} from '../../db/rooms/state-group-writer.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { StateKey } from '../../src/matrix/rooms/auth-decision.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { StateBranch } from '../pool/protocol.ts';
import type { InputOf } from '../kit/protocol.ts';
import {
  type Branch,
  branchOfEvents,
  layEntryOver,
  loadBranch,
  planBranch,
  resolveBranches,
} from './branch-state.ts';
import { effectOf, isRedaction, type RedactionEffect } from './held-redactions.ts';
import { isRejected, verdictOf } from './judge-event.ts';
import type { RoomsProtocol } from './protocol.ts';
import type { Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';

type History = Pick<InputOf<RoomsProtocol, 'rooms.receive-history'>, 'events' | 'receivedFrom'>;

const CREATE: StateKey = { type: 'm.room.create', stateKey: '' };

/** A state, and the number that it has or gets in this write; null as long as nothing needs one. */
interface PastState {
  branch: Branch;
  stateGroup: number | null;
  /** What it differs from in one entry; null: it is stored as its branch says. */
  readonly made: { readonly of: PastState; readonly change: StateGroupChange } | null;
}

/** An event that gets its place. */
interface PlacedEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
  readonly json: string;
  readonly rejection: string | null;
  readonly redaction: RedactionEffect | null;
  /** The state after it; of one that is refused the state before it. */
  readonly after: PastState;
}

/** Stores states that no event has yet, before the events are. */
export type StoreStates = (steps: readonly WriteStep[]) => Promise<Refusal | undefined>;

/** What one piece of history is written with. */
export interface PlacedPast {
  readonly count: number;
  /** How many of the events can be seen. */
  readonly visible: number;
  readonly steps: readonly WriteStep[];
  readonly facts: readonly Fact[];
}

/** The states after the events before one; undefined where one of them is not known. */
function statesAfter(
  pdu: Pdu,
  known: ReadonlyMap<string, KnownEvent>,
  placed: ReadonlyMap<string, PlacedEvent>,
  room: Room,
): readonly PastState[] | undefined {
  const states: PastState[] = [];
  for (const id of new Set(edgeIds(pdu.prev_events))) {
    const stored = known.get(id);
    const stateGroup = stored?.roomId === room.roomId ? stored.stateGroup : null;
    const own = placed.get(id)?.after;
    if (own !== undefined) states.push(own);
    else if (stateGroup !== null)
      states.push({ branch: { stateGroup, changes: [] }, stateGroup, made: null });
    else return undefined;
  }
  return states;
}

/** It is no history, whoever says so: what follows one of the newest events comes as they did, and takes its place. */
function followsNewest({ extremities }: Room, pdu: Pdu): boolean {
  const newest = new Set(extremities.map(({ eventId }) => eventId));
  return edgeIds(pdu.prev_events).some((id) => newest.has(id));
}

/** A state that can be resolved with others: those of a room's first events are over no stored one, and are stored for it. */
async function storedBranch(
  desk: RoomsDesk,
  room: Room,
  storeStates: StoreStates,
  state: PastState,
): Promise<StateBranch | Refusal> {
  const { stateGroup, changes } = state.branch;
  if (stateGroup !== null) return { stateGroup, changes };
  const steps: WriteStep[] = [];
  const stored = numberState(desk, room, state, steps);
  const refusal = steps.length === 0 ? undefined : await storeStates(steps);
  if (refusal !== undefined) return refusal;
  state.branch = { stateGroup: stored, changes: [] };
  return { stateGroup: stored, changes: [] };
}

/** The state before an event of the past; undefined where it cannot be had. */
async function stateBefore(
  desk: RoomsDesk,
  room: Room,
  storeStates: StoreStates,
  given: readonly string[] | null,
  states: readonly PastState[] | undefined,
): Promise<PastState | Refusal | undefined> {
  if (states === undefined) {
    const branch = given === null ? undefined : await branchOfEvents(desk.db, room, given);
    return branch === undefined || isRefusal(branch) ? undefined : { branch, stateGroup: null, made: null };
  }
  const [only, second] = [...new Set(states)];
  if (only !== undefined && second === undefined) return only;
  const branches: StateBranch[] = [];
  for (const state of states) {
    const branch = await storedBranch(desk, room, storeStates, state);
    if (isRefusal(branch)) return branch;
    branches.push(branch);
  }
  const branch = await resolveBranches(desk, room, branches);
  return isRefusal(branch) ? branch : { branch, stateGroup: null, made: null };
}

/** What stands against an event at the state before it: the current state is later, and says nothing. */
async function rejectionAt(desk: RoomsDesk, room: Room, pdu: Pdu, before: Branch): Promise<string | null> {
  const keys = [CREATE, ...authEventKeys(room.version, pdu)];
  const state = await loadBranch(desk.db, room.version, before, keys);
  const verdict = verdictOf(authorise(room.version, { roomId: room.roomId, pdu }, state));
  return verdict.kind === 'rejected' ? `rejected: ${verdict.reason}` : null;
}

function afterChange(before: PastState, change: StateGroupChange): PastState {
  const branch = layEntryOver(before.branch, change);
  return { branch, stateGroup: null, made: { of: before, change } };
}

async function placeOne(
  desk: RoomsDesk,
  room: Room,
  event: KnownEvent,
  before: PastState,
): Promise<PlacedEvent> {
  const { eventId, pdu: json } = event;
  const pdu = JSON.parse(json) as Pdu;
  const own = { eventId, pdu, json };
  const rejection = isRejected(event.rejection)
    ? event.rejection
    : await rejectionAt(desk, room, pdu, before.branch);
  if (rejection !== null) return { ...own, rejection, redaction: null, after: before };
  const { type, state_key: stateKey } = pdu;
  const after: PastState = stateKey === undefined ? before : afterChange(before, { type, stateKey, eventId });
  const redaction = isRedaction(pdu)
    ? await effectOf(desk, room.version, room.roomId, { pdu, before: before.branch })
    : null;
  // One whose target is still to come is seen at once: whoever reads on gets the target redacted, and nobody is woken for the past.
  const isHeld = redaction !== null && redaction.heldFor !== null && !redaction.isWaiting;
  return { ...own, rejection: isHeld ? `held: ${redaction.heldFor ?? ''}` : null, redaction, after };
}

/** The number of a state; where it has none yet, it gets one, and the steps that store it are added. */
function numberState(desk: RoomsDesk, room: Room, state: PastState, steps: WriteStep[]): number {
  if (state.stateGroup !== null) return state.stateGroup;
  const { numbers } = desk.stage;
  // Not by recursion: a line of states is as long as a piece of history.
  const line: PastState[] = [state];
  for (let of = state.made?.of; of !== undefined && of.stateGroup === null; of = of.made?.of) line.push(of);
  for (const one of line.toReversed()) {
    const parent = one.made?.of.stateGroup ?? null;
    const write: StateGroupWrite =
      one.made === null
        ? planBranch(one.branch, numbers)
        : {
            kind: 'new',
            stateGroup: numbers.next(),
            parent,
            changes: [one.made.change],
            isCheckpoint: false,
          };
    steps.push(...storeStateGroup(room.roomNid, write));
    one.stateGroup = write.stateGroup;
  }
  const { stateGroup } = state;
  if (stateGroup === null) throw new Error('a state got no number');
  return stateGroup;
}

function stepsOf(
  desk: RoomsDesk,
  room: Room,
  placed: PlacedEvent,
  unknown: readonly string[],
  positionOffset: number,
  receivedFrom: string,
): WriteStep[] {
  const { eventId, pdu, json, rejection, redaction, after } = placed;
  const { type, state_key: stateKey } = pdu;
  const steps: WriteStep[] = [];
  const stateGroup = numberState(desk, room, after, steps);
  const isVisible = rejection === null;
  const stored = {
    roomNid: room.roomNid,
    eventId,
    isStored: true,
    isVisible,
    depth: pdu.depth,
    originServerTs: pdu.origin_server_ts,
    type,
    stateKey: stateKey ?? null,
    rejection,
    stateGroup: { kind: 'existing' as const, stateGroup },
    receivedFrom,
    pdu: json,
    missing: [],
    isRelated: relationOf(pdu.content) !== null,
  };
  steps.push(...storeInboundEvent(stored, positionOffset));
  if (isVisible)
    for (const followedId of unknown) steps.push(step(insertFollowedEvent, { eventId, followedId }));
  if (redaction === null || redaction.targetId === null) return steps;
  if (redaction.isApplied) steps.push(...redactStoredEvent(redaction.targetId, eventId));
  if (redaction.isWaiting) steps.push(holdStoredRedaction(eventId, redaction.targetId));
  return steps;
}

function factsOf(roomId: string, { eventId, pdu, redaction }: PlacedEvent): Fact[] {
  const facts: Fact[] = [{ fact: 'event', roomId, eventId }];
  const parents = [relationOf(pdu.content)?.parentId, redaction?.parentOfTarget];
  for (const parent of parents)
    if (parent !== undefined && parent !== null) facts.push({ fact: 'relations', roomId, eventId: parent });
  if (redaction?.isApplied === true && redaction.targetId !== null)
    facts.push({ fact: 'event', roomId, eventId: redaction.targetId });
  return facts;
}

/**
 * Plans the places of events in the past of a room's timeline. All of them are stored outside of it by now, and judged by their auth
 * events. What cannot be placed is left out, and what is placed already stays where it is.
 *
 * @returns refused as the resolver refuses
 */
export async function placePast(
  desk: RoomsDesk,
  room: Room,
  storeStates: StoreStates,
  { events, receivedFrom }: History,
): Promise<PlacedPast | Refusal> {
  const ids = events.map(({ event }) => event.eventId);
  const own = await readKnownEvents(desk.db, ids);
  const previous = [...own.values()].flatMap(({ pdu }) => edgeIds((JSON.parse(pdu) as Pdu).prev_events));
  const known = new Map([...own, ...(await readKnownEvents(desk.db, [...new Set(previous)]))]);
  const placed = new Map<string, PlacedEvent>();
  for (const { event, stateBefore: given } of events) {
    const stored = known.get(event.eventId);
    if (stored === undefined || stored.roomId !== room.roomId) continue;
    if (stored.stateGroup !== null || stored.isWaiting || placed.has(event.eventId)) continue;
    const pdu = JSON.parse(stored.pdu) as Pdu;
    if (followsNewest(room, pdu)) continue;
    const states = statesAfter(pdu, known, placed, room);
    const before = await stateBefore(desk, room, storeStates, given, states);
    if (isRefusal(before)) return before;
    if (before !== undefined) placed.set(event.eventId, await placeOne(desk, room, stored, before));
  }
  const all = [...placed.values()];
  const isInGraph = (id: string): boolean => placed.has(id) || (known.get(id)?.stateGroup ?? null) !== null;
  return {
    count: all.length,
    visible: all.filter(({ rejection }) => rejection === null).length,
    // Positions fall from the newest on, while a state is stored after the one it follows.
    steps: all.flatMap((one, index) => {
      const unknown = edgeIds(one.pdu.prev_events).filter((id) => !isInGraph(id));
      return stepsOf(desk, room, one, unknown, all.length - 1 - index, receivedFrom);
    }),
    facts: all.flatMap((one) => factsOf(room.roomId, one)),
  };
}
