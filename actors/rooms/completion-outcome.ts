import { setImmediate } from 'node:timers/promises';
import {
  type MemberOfEvent,
  readMembers,
  readStandings,
  type StoredStanding,
} from '../../db/rooms/completion-reader.ts';
import {
  addToCurrentState,
  changeCurrentStateOf,
  endPartialRoom,
  moveToStates,
  type Refused,
  refuseEvents,
  replaceFollowed,
  replaceHead,
  replaceResolvedStates,
} from '../../db/rooms/completion-writer.ts';
import {
  changeCurrentState,
  type CurrentStateChange,
  recordResolvedState,
  revealHeldRedaction,
} from '../../db/rooms/inbound-writer.ts';
import { readLocalMemberships } from '../../db/rooms/membership-reader.ts';
import { readCurrentState, readStateOfGroup } from '../../db/rooms/state-reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { stateName } from '../../src/matrix/state-resolution/state-map.ts';
import { settleRedactions } from './completion-redactions.ts';
import { departureOf, findHostsElsewhere } from './leave-room.ts';
import { rowOfPdu } from './place-event.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import type { WholeEvent, WholeWorld } from './whole-world.ts';

/** Member events that are looked up at once: the other rooms get their turn in between. */
const MEMBERS_AT_ONCE = 500;
const MEMBER = 'm.room.member';

/** A partial room, as it was joined. */
export interface PartialStay {
  readonly roomNid: number;
  readonly roomId: string;
  readonly version: RoomVersion;
  readonly joinEventId: string;
  /** Of the events stream: the join's place in the timeline. */
  readonly joinPosition: number;
}

/** What a room that is whole is written with. */
export interface CompletionWrite {
  readonly rows: readonly EventsRow[];
  readonly steps: readonly WriteStep[];
}

/** Rows and steps, in the order of positions. */
interface Ledger {
  readonly rows: EventsRow[];
  readonly steps: WriteStep[];
}

/** The outcome of every event, with how it stands until now. */
interface Outcomes {
  readonly refused: readonly Refused[];
  /** Those that come into the timeline now. */
  readonly revealed: readonly WholeEvent[];
  readonly standings: readonly StoredStanding[];
}

async function compare(
  desk: Pick<RoomsDesk, 'db'>,
  stay: PartialStay,
  world: WholeWorld,
  held: ReadonlyMap<string, string>,
): Promise<Outcomes> {
  const standings = await desk.db.all(readStandings, { roomNid: stay.roomNid, after: 0 });
  const refused: Refused[] = [];
  const revealed: WholeEvent[] = [];
  for (const { eventId, eventNid, rejection: before } of standings) {
    const event = world.events.get(eventId);
    if (event === undefined) throw new Error(`${eventId} was not looked at`);
    const rejection = event.rejection ?? held.get(eventId) ?? null;
    if (rejection === before) continue;
    // One that no client was ever to see has no rejection, and no place.
    if (rejection === null) revealed.push(event);
    else refused.push({ eventId, eventNid, rejection });
  }
  return { refused, revealed, standings };
}

/** Members as they are written, for the entries of a state. */
async function membersOf(
  desk: Pick<RoomsDesk, 'db'>,
  known: ReadonlyMap<string, MemberOfEvent>,
  eventIds: readonly string[],
): Promise<ReadonlyMap<string, MemberOfEvent>> {
  const members = new Map<string, MemberOfEvent>();
  const unknown: string[] = [];
  for (const eventId of eventIds) {
    const member = known.get(eventId);
    if (member === undefined) unknown.push(eventId);
    else members.set(eventId, member);
  }
  for (let start = 0; start < unknown.length; start += MEMBERS_AT_ONCE) {
    for (const member of await readMembers(desk.db, unknown.slice(start, start + MEMBERS_AT_ONCE)))
      members.set(member.eventId, member);
    await setImmediate();
  }
  return members;
}

/** What becomes of the memberships of local users of whom the state since the join did not say anything. */
async function localChanges(
  desk: Pick<RoomsDesk, 'db' | 'serverName'>,
  { roomId }: PartialStay,
  isPlace: (userId: string) => boolean,
): Promise<readonly CurrentStateChange[]> {
  const changes: CurrentStateChange[] = [];
  for (const { userId, membership, sender } of await readLocalMemberships(desk.db, roomId)) {
    if (isPlace(userId) || membership === 'leave' || membership === 'removed') continue;
    const localMember = { userId, sender };
    changes.push({ type: MEMBER, stateKey: userId, eventId: null, membership: null, localMember });
  }
  return changes;
}

/** How the current state changes. */
interface StateOutcome {
  readonly changes: readonly CurrentStateChange[];
  /** Entries that the current state did not have, and that their users have been told of already: invites. */
  readonly untold: readonly CurrentStateChange[];
}

/** What makes the current state what it is from here on. `besides`: places that are to be told of in any case. */
async function stateChanges(
  desk: Pick<RoomsDesk, 'db' | 'serverName'>,
  stay: PartialStay,
  stateGroup: number,
  known: ReadonlyMap<string, MemberOfEvent>,
  besides: ReadonlySet<string>,
): Promise<StateOutcome> {
  const { db, serverName } = desk;
  const before = new Map(
    (await readCurrentState(db, stay.roomId)).map((entry) => [stateName(entry.type, entry.stateKey), entry]),
  );
  const standing = new Map(
    (await readLocalMemberships(db, stay.roomId)).map((local) => [local.userId, local.eventId]),
  );
  const after = await readStateOfGroup(db, stateGroup);
  const names = new Set(after.map(({ type, stateKey }) => stateName(type, stateKey)));
  const came = after.filter(({ type, stateKey, eventId }) => {
    const name = stateName(type, stateKey);
    return before.get(name)?.eventId !== eventId || besides.has(name);
  });
  const memberIds = came.filter(({ type }) => type === MEMBER).map(({ eventId }) => eventId);
  const members = await membersOf(desk, known, memberIds);
  const isLocal = (type: string, stateKey: string): boolean =>
    type === MEMBER && isOfServer(stateKey, serverName);
  const changes: CurrentStateChange[] = [];
  const untold: CurrentStateChange[] = [];
  for (const { type, stateKey, eventId } of came) {
    const member = members.get(eventId);
    const localMember = isLocal(type, stateKey) ? { userId: stateKey, sender: member?.sender ?? '' } : null;
    const change = { type, stateKey, eventId, membership: member?.membership ?? null, localMember };
    const isTold =
      localMember !== null && standing.get(stateKey) === eventId && !before.has(stateName(type, stateKey));
    (isTold ? untold : changes).push(change);
  }
  const isGone = (name: string): boolean => !names.has(name);
  for (const [name, { type, stateKey }] of before) {
    if (!isGone(name)) continue;
    const localMember = isLocal(type, stateKey) ? { userId: stateKey, sender: '' } : null;
    changes.push({ type, stateKey, eventId: null, membership: null, localMember });
  }
  const isPlace = (userId: string): boolean => {
    const name = stateName(MEMBER, userId);
    return names.has(name) || before.has(name);
  };
  return { changes: [...changes, ...(await localChanges(desk, stay, isPlace))], untold };
}

function writeRevealed(
  ledger: Ledger,
  { roomId }: PartialStay,
  revealed: readonly (WholeEvent & { readonly pdu: Pdu })[],
  redacted: ReadonlyMap<string, { readonly targetId: string; readonly parentId: string | null }>,
): void {
  for (const event of revealed) {
    const effect = redacted.get(event.eventId);
    const redacts = effect?.targetId ?? null;
    ledger.steps.push(...revealHeldRedaction(event.eventId, ledger.rows.length));
    ledger.rows.push(
      rowOfPdu(roomId, event, { redacts, parentOfRedacted: effect?.parentId ?? null, isLate: true }),
    );
  }
}

/** Many of them have an event and are nobody's here: these are written together. */
function writeChanges(ledger: Ledger, stay: PartialStay, changes: readonly CurrentStateChange[]): void {
  const { roomNid, roomId } = stay;
  const isPlain = ({ eventId, localMember }: CurrentStateChange): boolean =>
    eventId !== null && localMember === null;
  const plain = changes.filter(isPlain);
  const entries = plain.map(({ eventId, membership }) => [eventId ?? '', membership] as const);
  ledger.steps.push(...changeCurrentStateOf(roomNid, entries, ledger.rows.length));
  const others = changes.filter((change) => !isPlain(change));
  for (const [index, change] of others.entries())
    ledger.steps.push(
      ...changeCurrentState(roomNid, change, ledger.rows.length + plain.length + index, false),
    );
  for (const { type, stateKey, eventId, membership } of [...plain, ...others])
    ledger.rows.push({ kind: 'state', roomId, type, stateKey, eventId, membership });
}

/** The current state as of positions since the join, where it was not that of the last event of the timeline. */
function resolvedSince(
  world: WholeWorld,
  { joinEventId, joinPosition }: PartialStay,
  { refused, standings }: Outcomes,
): readonly (readonly [number, number])[] {
  const hidden = new Set(refused.map(({ eventId }) => eventId));
  const points = new Map<number, { event?: number; current?: number }>();
  const join = world.events.get(joinEventId)?.stateGroup;
  if (join !== undefined) points.set(joinPosition, { event: join, current: join });
  for (const { eventId, streamOrdering } of standings) {
    const event = world.events.get(eventId);
    if (streamOrdering === null || hidden.has(eventId) || event === undefined) continue;
    points.set(streamOrdering, { event: event.stateGroup });
  }
  for (const { position, stateGroup } of world.moments)
    points.set(position, { ...points.get(position), current: stateGroup });
  const resolved: (readonly [number, number])[] = [];
  let current: number | undefined;
  let implied: number | undefined;
  for (const [position, point] of [...points].toSorted(([left], [right]) => left - right)) {
    current = point.current ?? current;
    implied = point.event ?? implied;
    if (current === undefined || current === implied) continue;
    resolved.push([position, current]);
    implied = current;
  }
  return resolved;
}

/** The last local user may turn out to have been removed meanwhile: then this server has left. */
async function writeDeparture(
  desk: Pick<RoomsDesk, 'db' | 'serverName'>,
  ledger: Ledger,
  stay: PartialStay,
  changes: readonly CurrentStateChange[],
): Promise<void> {
  const membershipOf = new Map(
    (await readLocalMemberships(desk.db, stay.roomId)).map(({ userId, membership }) => [userId, membership]),
  );
  for (const { localMember, membership } of changes)
    if (localMember !== null) membershipOf.set(localMember.userId, membership ?? 'removed');
  if ([...membershipOf.values()].includes('join')) return;
  if ((await findHostsElsewhere(desk, stay.roomId)).length === 0) return;
  const left = departureOf(stay, ledger.rows.length);
  ledger.steps.push(...left.steps);
  ledger.rows.push(left.row);
}

/**
 * What a room is written with that is whole from here on: one write set. Nothing of the room is under way, and all that came is in the world.
 *
 * @param members what is known of member events without reading them
 */
export async function planCompletion(
  desk: Pick<RoomsDesk, 'db' | 'serverName'>,
  stay: PartialStay,
  world: WholeWorld,
  members: ReadonlyMap<string, MemberOfEvent>,
): Promise<CompletionWrite> {
  const { roomNid, joinEventId, joinPosition } = stay;
  const redactions = await settleRedactions(desk, world, stay);
  const outcomes = await compare(desk, stay, world, redactions.held);
  const known = await world.known(outcomes.revealed.map(({ eventId }) => eventId));
  const revealed = outcomes.revealed.map((event) => {
    const stored = known.get(event.eventId);
    if (stored === undefined) throw new Error(`${event.eventId} was stored and is not`);
    return { ...event, pdu: JSON.parse(stored.pdu) as Pdu };
  });
  const places = revealed.flatMap(({ pdu: { type, state_key: stateKey } }) =>
    stateKey === undefined ? [] : [stateName(type, stateKey)],
  );
  const { stateGroup, isResolved } = world.current();
  const { changes, untold } = await stateChanges(desk, stay, stateGroup, members, new Set(places));
  const states = [...world.events.values()].map((event) => [event.eventId, event.stateGroup] as const);
  const accepted = [...world.events.values()].filter(({ eventId }) => eventId !== joinEventId);
  const followed = accepted.flatMap((event) => event.followed.map((id) => [id, event.eventNid] as const));
  const ledger: Ledger = { rows: [], steps: [moveToStates(states), ...refuseEvents(outcomes.refused)] };
  writeRevealed(ledger, stay, revealed, redactions.redacted);
  ledger.steps.push(
    ...redactions.steps,
    ...replaceFollowed(
      roomNid,
      accepted.map(({ eventNid }) => eventNid),
      followed,
    ),
    ...replaceHead(roomNid, world.extremities(), isResolved ? stateGroup : null),
  );
  writeChanges(ledger, stay, changes);
  ledger.steps.push(...addToCurrentState(roomNid, untold));
  ledger.steps.push(
    ...replaceResolvedStates(roomNid, joinPosition, resolvedSince(world, stay, outcomes)),
    recordResolvedState(roomNid, stateGroup, ledger.rows.length),
    ...endPartialRoom(stay, joinEventId, ledger.rows.length),
  );
  ledger.rows.push({ kind: 'room', roomId: stay.roomId, change: 'completed' });
  await writeDeparture(desk, ledger, stay, changes);
  return ledger;
}
