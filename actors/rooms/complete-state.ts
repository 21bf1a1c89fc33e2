import { setImmediate } from 'node:timers/promises';
import {
  type MemberOfEvent,
  type PlacedEntry,
  readPlacements,
  readPreparedStates,
} from '../../db/rooms/completion-reader.ts';
import {
  fillPrepared,
  forgetPrepared,
  prepareState,
  prepareWhole,
} from '../../db/rooms/completion-writer.ts';
import { findEvent, type StoredEvent } from '../../db/rooms/event-reader.ts';
import { findPartialRoom } from '../../db/rooms/partial-reader.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import { isJsonObject, type Json } from '../../src/kit/json.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import { createEventIdOfRoom } from '../../src/matrix/identifiers/room-id.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { checkAuthority } from './accept-join.ts';
import { type PartialStay, planCompletion } from './completion-outcome.ts';
import { inOrder } from './judge-outliers.ts';
import { type JoinState, keepAccepted, parseJoinState } from './join-state.ts';
import { mergeExtremities } from './merge-extremities.ts';
import type { ReceivedEvent, RoomsProtocol } from './protocol.ts';
import { commitSlice, type PurgeDesk, runPhases, runSlice, runSlices } from './purge-desk.ts';
import { deleteGroups } from './purge-groups.ts';
import { receiveOutliers } from './receive-outliers.ts';
import { createWholeWorld, type WholeWorld } from './whole-world.ts';

type CompleteState = InputOf<RoomsProtocol, 'rooms.complete-state'>;
type Completed = OutputOf<RoomsProtocol, 'rooms.complete-state'>;

/** Events of the state that one turn of the room stores. */
export const STORED_PER_SLICE_MAX = 250;
/** Events that one turn puts into the whole state. */
export const FILLED_PER_SLICE_MAX = 1_000;
/** Events since the join that one turn decides about again. */
export const JUDGED_PER_SLICE_MAX = 50;
/**
 * Turns after which the next one decides about all that is left, however much that is: a room in which more happens than this can decide about
 * would never be whole.
 */
const SLICES_MAX = 2_000;
/** Events of the state that are read before the other rooms get their turn. */
const EVENTS_PER_TURN = 200;

/** A completion on its way. */
interface Completion {
  readonly stay: PartialStay;
  readonly join: StoredEvent;
  readonly state: JoinState;
}

function notPartial(roomId: string): Refusal {
  return refuse('M_NOT_FOUND', `${roomId} is no room whose state is to be completed`);
}

/** The room, while it is still what it was joined as. */
async function findStay(
  desk: Pick<PurgeDesk, 'db'>,
  roomId: string,
): Promise<{ readonly stay: PartialStay; readonly join: StoredEvent } | Refusal> {
  const partial = await findPartialRoom(desk.db, roomId);
  const room = await findRoom(desk.db, roomId);
  if (partial === undefined || room === undefined) return notPartial(roomId);
  const { joinEventId } = partial;
  const join = await findEvent(desk.db, joinEventId);
  if (join === undefined || join.streamOrdering === null)
    throw new Error(`the join ${joinEventId} of the partial room ${roomId} is not in the timeline`);
  const version = getRoomVersion(room.roomVersion);
  const stay = { roomNid: room.roomNid, roomId, version, joinEventId, joinPosition: join.streamOrdering };
  return { stay, join };
}

/** A slice for as long as the stay lasts. */
function ofStay<T>(
  desk: PurgeDesk,
  { roomId, joinEventId }: PartialStay,
  slice: () => Promise<T | Refusal>,
): () => Promise<T | Refusal> {
  return async () => {
    const partial = await findPartialRoom(desk.db, roomId);
    return partial?.joinEventId === joinEventId ? slice() : notPartial(roomId);
  };
}

function authEventsOf({ pdu }: ReceivedEvent): readonly string[] {
  const parsed = JSON.parse(pdu) as Json;
  const named = isJsonObject(parsed) ? parsed['auth_events'] : undefined;
  return Array.isArray(named) ? edgeIds(named) : [];
}

/** Each after those that decide about it, so that they can be stored a few at a time. */
async function sortEvents(
  { version, roomId }: PartialStay,
  { state, authChain }: CompleteState,
): Promise<readonly ReceivedEvent[]> {
  const create = version.createInAuthEvents ? [] : [createEventIdOfRoom(roomId)];
  const events = new Map([...authChain, ...state].map((event) => [event.eventId, event]));
  const deciders = new Map<string, readonly string[]>();
  for (const event of events.values()) {
    deciders.set(event.eventId, [...authEventsOf(event), ...create]);
    if (deciders.size % EVENTS_PER_TURN === 0) await setImmediate();
  }
  return inOrder(events, ({ eventId }) => deciders.get(eventId) ?? []);
}

/** Stores what came as events outside of the timeline, each authorised at its auth events. */
async function storeEvents(
  desk: PurgeDesk,
  stay: PartialStay,
  input: CompleteState,
): Promise<Refusal | undefined> {
  const { roomId, receivedFrom } = input;
  const events = await sortEvents(stay, input);
  let next = 0;
  return runSlices(
    desk,
    roomId,
    ofStay(desk, stay, async () => {
      const some = events.slice(next, next + STORED_PER_SLICE_MAX);
      next += some.length;
      const stored = await receiveOutliers(desk, { roomId, events: some, receivedFrom });
      return isRefusal(stored) ? stored : next < events.length;
    }),
  );
}

/** Deletes the states that were made by a completion that came to nothing. */
async function deletePrepared(desk: PurgeDesk, stay: PartialStay): Promise<Refusal | undefined> {
  const groups = await desk.db.all(readPreparedStates, { roomNid: stay.roomNid });
  if (groups.length === 0) return undefined;
  const tally = { events: 0, stateGroups: 0, freedBytes: 0 };
  return (
    (await deleteGroups(desk, stay, groups, tally)) ??
    (await runSlices(
      desk,
      stay.roomId,
      async () => (await commitSlice(desk, [forgetPrepared(stay.roomNid)])) ?? false,
    ))
  );
}

/** The state as far as it was accepted, which has to allow the join. */
async function checkState(
  desk: PurgeDesk,
  { stay, join }: Pick<Completion, 'stay' | 'join'>,
  given: JoinState,
): Promise<JoinState | Refusal> {
  const { version, roomId, roomNid } = stay;
  const accepted = await keepAccepted(desk.db, roomNid, given);
  const pdu = JSON.parse(join.pdu) as Pdu;
  const state = await checkAuthority(desk, { version, pdu }, { roomId, event: join }, accepted, false);
  return isRefusal(state)
    ? refuse('M_BAD_JSON', `the state does not allow the join that it is said to be before: ${state.error}`)
    : state;
}

/** Stores the state before the join and the one after it. Gives the number of that. */
async function prepareStart(desk: PurgeDesk, { stay, join, state }: Completion): Promise<number | Refusal> {
  const { roomId, roomNid } = stay;
  const { numbers } = desk.stage;
  const before = numbers.next();
  const eventIds = state.events.map(({ eventId }) => eventId);
  let next = 0;
  const refusal =
    (await runSlice(
      desk,
      roomId,
      ofStay(desk, stay, () => commitSlice(desk, prepareWhole(roomNid, before))),
    )) ??
    (await runSlices(
      desk,
      roomId,
      ofStay(desk, stay, async () => {
        const some = eventIds.slice(next, next + FILLED_PER_SLICE_MAX);
        next += some.length;
        return (await commitSlice(desk, fillPrepared(before, some))) ?? next < eventIds.length;
      }),
    ));
  if (refusal !== undefined) return refusal;
  const after = numbers.next();
  const changes = [{ type: join.type, stateKey: join.stateKey ?? '', eventId: join.eventId }];
  const write = { kind: 'new', stateGroup: after, parent: before, changes, isCheckpoint: false } as const;
  const stored = await runSlice(
    desk,
    roomId,
    ofStay(desk, stay, () => commitSlice(desk, prepareState(roomNid, write))),
  );
  return stored ?? after;
}

async function placeAll(world: WholeWorld, entries: readonly PlacedEntry[]): Promise<Refusal | undefined> {
  for (const entry of entries) {
    const refusal = await world.place(entry);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function membersOf({ events }: JoinState): ReadonlyMap<string, MemberOfEvent> {
  const members = new Map<string, MemberOfEvent>();
  for (const { eventId, pdu } of events) {
    if (pdu.type !== 'm.room.member') continue;
    const { membership } = pdu.content;
    const { sender } = pdu;
    members.set(eventId, { eventId, sender, membership: typeof membership === 'string' ? membership : null });
  }
  return members;
}

/** The last slice: all that came is decided about, and the room is whole. */
async function finish(
  desk: PurgeDesk,
  { stay, state }: Completion,
  world: WholeWorld,
): Promise<number | Refusal> {
  const { roomId } = stay;
  const { rows, steps } = await planCompletion(desk, stay, world, membersOf(state));
  const first = await desk.commit({ roomId, rows, steps, isOurs: false });
  if (isRefusal(first)) return first;
  const remembered = await desk.rooms.find(roomId);
  if (remembered !== undefined) desk.rooms.discard(remembered);
  await mergeExtremities(desk, roomId);
  return first + rows.length - 1;
}

/** Decides again about all that came since the join, and ends with the write that makes the room whole. */
async function judgeAgain(
  desk: PurgeDesk,
  completion: Completion,
  stateGroup: number,
): Promise<number | Refusal> {
  const { stay, join } = completion;
  const write: Parameters<typeof createWholeWorld>[0]['write'] = (steps) => commitSlice(desk, steps);
  const world = createWholeWorld({ ...desk, write }, { ...stay, join, stateGroup });
  let after = 0;
  let slices = 0;
  let position = 0;
  const refusal = await runSlices(
    desk,
    stay.roomId,
    ofStay(desk, stay, async () => {
      slices += 1;
      const limit = slices > SLICES_MAX ? Number.MAX_SAFE_INTEGER : JUDGED_PER_SLICE_MAX;
      const entries = await readPlacements(desk.db, stay.roomNid, after, limit);
      const refused = await placeAll(world, entries);
      if (refused !== undefined) return refused;
      after = entries.at(-1)?.position ?? after;
      if (entries.length === limit) return true;
      const finished = await finish(desk, completion, world);
      if (isRefusal(finished)) return finished;
      position = finished;
      return false;
    }),
  );
  return refusal ?? position;
}

/**
 * Makes a room whole that was joined without its members: what came since is taken in again with the whole state (`whole-world.ts`), beside what is
 * stored, in slices between which the room goes on as it is; what comes meanwhile is taken in after the rest. The end is one write set. A crash
 * leaves the room as it was, and what was prepared is deleted when it is asked again. The states that the room had until then stay until history is
 * purged: whoever has begun to read them goes on.
 * MSC3902, "Resynchronising room state".
 *
 * @returns refused with M_NOT_FOUND when the room is not partial, or not any more; M_BAD_JSON or M_TOO_LARGE when the state is none, or does not
 *   allow the join; otherwise as the resolver and as storage refuse: asked again, it begins anew
 */
export async function completeState(desk: PurgeDesk, input: CompleteState): Promise<Completed> {
  const { roomId } = input;
  const found = await findStay(desk, roomId);
  if (isRefusal(found)) return found;
  const { stay, join } = found;
  const given = await parseJoinState(stay.version, roomId, input.state);
  if (isRefusal(given)) return given;
  const begun = await runPhases([() => deletePrepared(desk, stay), () => storeEvents(desk, stay, input)]);
  if (begun !== undefined) return begun;
  const state = await checkState(desk, found, given);
  if (isRefusal(state)) return state;
  const completion = { stay, join, state };
  const stateGroup = await prepareStart(desk, completion);
  const position = isRefusal(stateGroup) ? stateGroup : await judgeAgain(desk, completion, stateGroup);
  if (!isRefusal(position)) return { kind: 'completed', position };
  await deletePrepared(desk, stay);
  return position;
}
