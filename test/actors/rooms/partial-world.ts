import { expect } from 'chai';
import type { InputOf } from '../../../actors/kit/protocol.ts';
import type { Received, ReceivedEvent, RoomsProtocol } from '../../../actors/rooms/protocol.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { readLocalMemberships } from '../../../db/rooms/membership-reader.ts';
import { findPartialRoom } from '../../../db/rooms/partial-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import {
  readCurrentState,
  readStateAt,
  readStateChanges,
  readStateOfGroup,
} from '../../../db/rooms/state-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { edgeIds } from '../../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal } from '../../../src/matrix/refusal.ts';
import { checkRelations } from './check-relations.ts';
import { entriesOf, readAllEvents } from './check-room.ts';
import {
  type ForeignEvent,
  type ForeignProposal,
  type ForeignRoom,
  openForeignRoom,
  receive,
} from './foreign-events.ts';
import { DAVE, ERIN, member } from './receive-world.ts';
import { ALICE, openRoomsHouse, type RoomsHouse } from './rooms-house.ts';

export const OTHER = 'other.example';
export const FRANK = '@frank:fourth.example';
export const GINA = '@gina:third.example';

type CompleteState = InputOf<RoomsProtocol, 'rooms.complete-state'>;
type Completed = Awaited<ReturnType<PartialWorld['complete']>>;

/** What a house has of a room, by names that are the same in all houses. */
export interface Picture {
  readonly current: readonly string[];
  readonly extremities: readonly string[];
  /** Of each event: how it stands, and the state after it. */
  readonly events: Readonly<Record<string, { readonly standing: string; readonly state: readonly string[] }>>;
  readonly memberships: readonly string[];
  readonly redacted: readonly string[];
  readonly held: readonly string[];
  readonly followed: readonly string[];
}

/** A room of other servers, of which Alice's server knows no members but those that it has seen. */
export interface PartialWorld {
  readonly house: RoomsHouse;
  readonly room: ForeignRoom;
  readonly roomId: string;
  /** Alice's join; undefined before it. */
  join(): ForeignEvent;
  /** Alice joins. */
  enter(options?: { readonly isPartial?: boolean }): Promise<ForeignEvent>;
  give(event: ForeignEvent, given?: 'given'): Promise<Received['kind']>;
  giveAll(...events: readonly ForeignEvent[]): Promise<readonly string[]>;
  complete(
    other?: Partial<CompleteState>,
  ): Promise<{ readonly kind: 'completed'; readonly position: number } | Refusal>;
  isPartial(): Promise<boolean>;
  standing(event: Pick<ForeignEvent, 'eventId'>): Promise<string>;
  close(): Promise<void>;
}

export function given(event: ForeignEvent): ReceivedEvent {
  return { eventId: event.eventId, pdu: event.json };
}

/** The events and their auth chains. */
export function withChains(room: ForeignRoom, eventIds: Iterable<string>): readonly ForeignEvent[] {
  const found = new Map<string, ForeignEvent>();
  const visit = (eventId: string): void => {
    if (found.has(eventId)) return;
    const event = room.get(eventId);
    for (const id of edgeIds(event.pdu.auth_events)) visit(id);
    found.set(eventId, event);
  };
  for (const eventId of eventIds) visit(eventId);
  return [...found.values()];
}

function startRoom(version: string, members: readonly string[], joinRule: string): ForeignRoom {
  const roomId = '!elsewhere:other.example';
  const room = openForeignRoom(roomId, version);
  const state = (type: string, content: JsonObject): unknown =>
    room.add({ sender: DAVE, type, stateKey: '', content });
  const creator = ['1', '2', '6', '10'].includes(version) ? { creator: DAVE } : {};
  state('m.room.create', { room_version: version, ...creator });
  room.add(member(DAVE, DAVE, 'join'));
  state('m.room.power_levels', { users: { [DAVE]: 100, [ERIN]: 50 } });
  state('m.room.join_rules', { join_rule: 'public' });
  for (const userId of members) room.add(member(userId, userId, 'join'));
  if (joinRule !== 'public') state('m.room.join_rules', { join_rule: joinRule });
  return room;
}

/** How an event stands: of one that is refused the kind, not the reason. */
function standingOf(rejection: string | null, isVisible: boolean): string {
  return rejection === null ? (isVisible ? 'accepted' : 'unseen') : (rejection.split(':')[0] ?? '');
}

const redactions = defineQuery<{ readonly roomNid: number }, { readonly name: string }>({
  name: 'test.redactions',
  sql: `SELECT t.event_id || ' by ' || r.event_id AS name
          FROM events t JOIN events r ON r.event_nid = t.redacted_by WHERE t.room_nid = :roomNid`,
});

const heldOnes = defineQuery<{ readonly roomNid: number }, { readonly name: string }>({
  name: 'test.held',
  sql: `SELECT h.target_event_id || ' by ' || e.event_id AS name
          FROM held_redactions h JOIN events e ON e.event_nid = h.redaction_nid WHERE e.room_nid = :roomNid`,
});

const followedOnes = defineQuery<{ readonly roomNid: number }, { readonly name: string }>({
  name: 'test.followed',
  sql: `SELECT f.event_id || ' by ' || e.event_id AS name
          FROM followed_events f JOIN events e ON e.event_nid = f.follower_nid WHERE e.room_nid = :roomNid`,
});

export const leftovers = defineQuery<{ readonly roomNid: number }, { readonly rows: number }>({
  name: 'test.leftovers',
  sql: `SELECT (SELECT count(*) FROM partial_rooms WHERE room_nid = :roomNid)
             + (SELECT count(*) FROM partial_placements WHERE room_nid = :roomNid)
             + (SELECT count(*) FROM prepared_states WHERE room_nid = :roomNid) AS rows`,
});

/** What a house has of a room. */
export async function readPicture(house: RoomsHouse, roomId: string): Promise<Picture> {
  const { db } = house.database;
  const room = await findRoom(db, roomId);
  const roomNid = room?.roomNid ?? 0;
  const names = async (query: typeof redactions): Promise<readonly string[]> =>
    (await db.all(query, { roomNid })).map(({ name }) => name).toSorted();
  const events: Record<string, Picture['events'][string]> = {};
  for (const { eventId, rejection, streamOrdering, stateGroup } of await readAllEvents(house, roomId)) {
    if (stateGroup === null) continue;
    const state = entriesOf(await readStateOfGroup(db, stateGroup));
    events[eventId] = { standing: standingOf(rejection, streamOrdering !== null), state };
  }
  const memberships = (await readLocalMemberships(db, roomId)).map(
    ({ userId, membership, eventId }) => `${userId} ${membership} ${eventId}`,
  );
  return {
    current: entriesOf(await readCurrentState(db, roomId)),
    extremities: (await readExtremities(db, roomNid)).map(({ eventId }) => eventId).toSorted(),
    events,
    memberships: memberships.toSorted(),
    redacted: await names(redactions),
    held: await names(heldOnes),
    followed: await names(followedOnes),
  };
}

/** Checks what is true of every room that was joined through another server. */
export async function checkJoinedRoom(house: RoomsHouse, roomId: string): Promise<void> {
  const { db } = house.database;
  const room = await findRoom(db, roomId);
  if (room === undefined) throw new Error(`no room ${roomId}`);
  const [first, second] = await readExtremities(db, room.roomNid);
  expect(room.resolvedStateGroup === null, 'resolved with one extremity only').to.equal(second === undefined);
  const group = second === undefined ? first?.stateGroup : room.resolvedStateGroup;
  const state = await readCurrentState(db, roomId);
  const current = entriesOf(state);
  expect(current, 'current state is that of its group').to.deep.equal(
    entriesOf(await readStateOfGroup(db, group ?? 0)),
  );
  const now = Number.MAX_SAFE_INTEGER;
  expect(entriesOf(await readStateAt(db, roomId, now)), 'the state as of now').to.deep.equal(current);
  for (const { type, stateKey, eventId } of await readStateChanges(db, roomId, 0, now)) {
    const standing = state.find((entry) => entry.type === type && entry.stateKey === stateKey);
    expect(eventId, `the last change of ${type} ${stateKey}`).to.equal(standing?.eventId ?? null);
  }
  for (const { eventId, rejection, streamOrdering } of await readAllEvents(house, roomId))
    expect(rejection !== null && streamOrdering !== null, `${eventId} is seen`).to.equal(false);
  await checkRelations(db, roomId);
}

/** Opens a world. Call `close` at the end of the test. */
export async function openPartialWorld(
  options: {
    readonly version?: string;
    readonly members?: readonly string[];
    readonly joinRule?: string;
    /** Another world's: this one gets the same events. */
    readonly room?: ForeignRoom;
    readonly join?: ForeignEvent;
    readonly house?: RoomsHouse;
  } = {},
): Promise<PartialWorld> {
  const house = options.house ?? (await openRoomsHouse());
  const room =
    options.room ??
    startRoom(options.version ?? '11', options.members ?? [ERIN, FRANK], options.joinRule ?? 'public');
  const { roomId } = room;
  let joined = options.join;
  const join = (): ForeignEvent => {
    if (joined === undefined) throw new Error('nobody has joined');
    return joined;
  };
  const stateOf = (event: ForeignEvent): readonly ForeignEvent[] =>
    [...event.stateBefore.values()].map((id) => room.get(id));
  const outliers = async (events: readonly ForeignEvent[]): Promise<void> => {
    const reply = await house.rooms.ask('rooms.receive-outliers', {
      roomId,
      events: events.map(given),
      receivedFrom: OTHER,
    });
    if (reply.kind !== 'stored') throw new Error(reply.error);
  };
  const world: PartialWorld = {
    house,
    room,
    roomId,
    join,
    async enter({ isPartial = true } = {}) {
      joined ??= room.add(member(ALICE, ALICE, 'join'));
      const event = joined;
      const state = stateOf(event).filter(({ pdu }) => !isPartial || pdu.type !== 'm.room.member');
      const ids = [...state.map(({ eventId }) => eventId), ...edgeIds(event.pdu.auth_events)];
      const reply = await house.rooms.ask('rooms.accept-join', {
        roomId,
        roomVersion: room.version.id,
        event: given(event),
        state: state.map(given),
        authChain: withChains(room, ids).map(given),
        receivedFrom: OTHER,
        partial: isPartial ? { servers: [OTHER, 'third.example', 'fourth.example', 'example.com'] } : null,
      });
      if (isRefusal(reply)) throw new Error(`${reply.errcode} ${reply.error}`);
      await house.idle();
      return event;
    },
    async give(event, how) {
      await outliers(
        withChains(room, [
          ...edgeIds(event.pdu.auth_events),
          ...(how === 'given' ? event.stateBefore.values() : []),
        ]),
      );
      const reply = await receive(
        house,
        roomId,
        event,
        how === 'given' ? { stateBefore: [...event.stateBefore.values()] } : {},
      );
      if (isRefusal(reply)) throw new Error(`${reply.errcode} ${reply.error}`);
      return reply.kind;
    },
    async giveAll(...events) {
      const kinds: string[] = [];
      for (const event of events) kinds.push(await world.give(event));
      return kinds;
    },
    complete(other = {}) {
      const state = stateOf(join());
      const authChain = withChains(
        room,
        state.map(({ eventId }) => eventId),
      );
      return house.rooms.ask(
        'rooms.complete-state',
        { roomId, state: state.map(given), authChain: authChain.map(given), receivedFrom: OTHER, ...other },
        { deadlineMs: 60_000 },
      );
    },
    async isPartial() {
      return (await findPartialRoom(house.database.db, roomId)) !== undefined;
    },
    async standing({ eventId }) {
      const row = (await readAllEvents(house, roomId)).find((event) => event.eventId === eventId);
      if (row === undefined) throw new Error(`${eventId} is not stored`);
      return standingOf(row.rejection, row.streamOrdering !== null);
    },
    close: () => house.stop(),
  };
  return world;
}

/** A redaction, as all room versions write it. */
export function redaction(sender: string, redacts: string): ForeignProposal {
  return { sender, type: 'm.room.redaction', redacts, content: { redacts } };
}

/** Must have been completed. */
export function completed(reply: Completed): number {
  if (reply.kind !== 'completed') throw new Error(`${reply.errcode} ${reply.error}`);
  return reply.position;
}
