import type { Received } from '../../../actors/rooms/protocol.ts';
import type { InputOf } from '../../../actors/kit/protocol.ts';
import type { RoomsProtocol } from '../../../actors/rooms/protocol.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { buildEvent, type EventReference } from '../../../src/matrix/events/build-event.ts';
import { edgeIds, type Pdu } from '../../../src/matrix/events/pdu.ts';
import { referenceHash } from '../../../src/matrix/events/hashes.ts';
import { domainOf } from '../../../src/matrix/identifiers/domain.ts';
import { createEventIdOfRoom } from '../../../src/matrix/identifiers/room-id.ts';
import { isRefusal, type Refusal } from '../../../src/matrix/refusal.ts';
import type { AuthState } from '../../../src/matrix/rooms/auth-decision.ts';
import { authEventKeys, checkAuthEvents } from '../../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../../src/matrix/rooms/auth-rules.ts';
import { getRoomVersion, type RoomVersion } from '../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey, type ServerKey } from '../../../src/matrix/signing.ts';
import { createMemorySource } from '../../../src/matrix/state-resolution/memory-source.ts';
import type { ResolutionEvent } from '../../../src/matrix/state-resolution/resolution.ts';
import { resolveState } from '../../../src/matrix/state-resolution/resolve-state.ts';
import { type StateMap, stateName } from '../../../src/matrix/state-resolution/state-map.ts';
import type { RoomsHouse } from './rooms-house.ts';

/** An event of the foreign view, and what that view says of it. */
export interface ForeignEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
  readonly json: string;
  readonly sha256: string;
  readonly stateBefore: StateMap;
  readonly stateAfter: StateMap;
  readonly isRejected: boolean;
}

/** What decides an event of a foreign server; what is absent is as a correct server would have it. */
export interface ForeignProposal {
  readonly sender: string;
  readonly type: string;
  readonly stateKey?: string;
  readonly content?: JsonObject;
  readonly redacts?: string;
  /** Ids of events of the view; its newest ones when absent. */
  readonly prev?: readonly string[];
  readonly auth?: readonly string[];
  readonly depth?: number;
  readonly ts?: number;
  readonly unsigned?: JsonObject;
  readonly stickyDurationMs?: number;
}

/** A room as other servers see it: every event that there is, and the state after each by the pure resolver. */
export interface ForeignRoom {
  readonly roomId: string;
  readonly version: RoomVersion;
  readonly events: ReadonlyMap<string, ForeignEvent>;
  get(eventId: string): ForeignEvent;
  /** Takes an event over from the database of the house, its ancestors first. */
  adopt(house: RoomsHouse, eventId: string): Promise<ForeignEvent>;
  /** Makes an event and takes it into the view, allowed or not. */
  add(proposal: ForeignProposal): ForeignEvent;
  /** The same, of which the view knows nothing. */
  build(proposal: ForeignProposal): ForeignEvent;
  /** The events that nothing allowed follows, and that are allowed. */
  tips(): readonly string[];
  resolve(eventIds: readonly string[]): StateMap;
  /** By which a server signs its events. */
  keyOf(server: string): ServerKey;
}

const NOTHING: StateMap = new Map();

function stateFinder(events: ReadonlyMap<string, ForeignEvent>, state: StateMap): AuthState {
  return {
    find(type, stateKey) {
      const id = state.get(stateName(type, stateKey));
      return id === undefined ? undefined : events.get(id)?.pdu;
    },
  };
}

/** Makes an empty view of a room. */
export function openForeignRoom(roomId: string, versionId: string): ForeignRoom {
  const version = getRoomVersion(versionId);
  const events = new Map<string, ForeignEvent>();
  const keys = new Map<string, ServerKey>();
  let built = 0;
  const keyOf = (server: string): ServerKey => {
    const key = keys.get(server) ?? makeServerKey(new Uint8Array(32).fill(keys.size + 1), 'foreign');
    keys.set(server, key);
    return key;
  };
  const get = (eventId: string): ForeignEvent => {
    const event = events.get(eventId);
    if (event === undefined) throw new Error(`the foreign view has no ${eventId}`);
    return event;
  };
  const resolve = (eventIds: readonly string[]): StateMap => {
    if (eventIds.length === 0) return NOTHING;
    const known = [...events].map(([eventId, { pdu, isRejected }]): [string, ResolutionEvent] => [
      eventId,
      { eventId, pdu, isRejected },
    ]);
    const states = eventIds.map((eventId) => get(eventId).stateAfter);
    return resolveState({ version, roomId, states, source: createMemorySource(new Map(known)) });
  };
  const isAllowed = (pdu: Pdu, stateBefore: StateMap): boolean => {
    if (pdu.type === 'm.room.create') return true;
    const auth = edgeIds(pdu.auth_events).map(get);
    const named = auth.map((event) => ({ roomId, pdu: event.pdu, isRejected: event.isRejected }));
    if (!checkAuthEvents(version, { roomId, pdu }, named).allowed) return false;
    const withCreate = version.createInAuthEvents ? auth : [...auth, get(createEventIdOfRoom(roomId))];
    const places = withCreate.map(
      ({ eventId, pdu: { type, state_key: stateKey = '' } }): [string, string] => [
        stateName(type, stateKey),
        eventId,
      ],
    );
    return [new Map(places), stateBefore].every(
      (state) => authorise(version, { roomId, pdu }, stateFinder(events, state)).allowed,
    );
  };
  const judge = (eventId: string, pdu: Pdu, json: string): ForeignEvent => {
    const stateBefore = resolve(edgeIds(pdu.prev_events));
    const isRejected = !isAllowed(pdu, stateBefore);
    const stateAfter = new Map(stateBefore);
    if (pdu.state_key !== undefined && !isRejected)
      stateAfter.set(stateName(pdu.type, pdu.state_key), eventId);
    const sha256 = referenceHash(version, pdu) ?? '';
    return { eventId, pdu, json, sha256, stateBefore, stateAfter, isRejected };
  };
  const tips = (): readonly string[] => {
    const followed = new Set<string>();
    for (const { pdu, isRejected } of events.values())
      if (!isRejected) for (const id of edgeIds(pdu.prev_events)) followed.add(id);
    return [...events.values()]
      .filter(({ eventId, isRejected }) => !isRejected && !followed.has(eventId))
      .map(({ eventId }) => eventId);
  };
  const build = (proposal: ForeignProposal): ForeignEvent => {
    const { sender, type, stateKey, redacts, unsigned, stickyDurationMs } = proposal;
    const prev = (proposal.prev ?? tips()).map(get);
    const content = proposal.content ?? {};
    const stateBefore = resolve(prev.map(({ eventId }) => eventId));
    const selected = authEventKeys(version, {
      sender,
      type,
      content,
      ...(stateKey !== undefined && { state_key: stateKey }),
    })
      .map((key) => stateBefore.get(stateName(key.type, key.stateKey)))
      .filter((id) => id !== undefined);
    const references = (ids: readonly string[]): readonly EventReference[] =>
      ids.map((eventId) => ({ eventId, sha256: events.get(eventId)?.sha256 ?? '' }));
    built += 1;
    const server = domainOf(sender) ?? '';
    const event = buildEvent(
      {
        version,
        roomId,
        sender,
        type,
        ...(stateKey !== undefined && { stateKey }),
        content,
        prevEvents: prev.map(({ eventId, sha256 }) => ({ eventId, sha256 })),
        authEvents: references(proposal.auth ?? selected),
        depth: proposal.depth ?? 1 + Math.max(0, ...prev.map(({ pdu }) => pdu.depth)),
        originServerTs: proposal.ts ?? 1_700_000_001_000 + built,
        ...(redacts !== undefined && { redacts }),
        ...(unsigned !== undefined && { unsigned }),
        ...(stickyDurationMs !== undefined && { stickyDurationMs }),
        ...(version.eventIdFormat === 'server-chosen' && { eventIdLocalpart: `foreign${built}` }),
      },
      { serverName: server, key: keyOf(server) },
    );
    if (isRefusal(event)) throw new Error(`not an event: ${event.error}`);
    return judge(event.eventId, event.pdu, event.json);
  };
  const adopt = async (house: RoomsHouse, eventId: string): Promise<ForeignEvent> => {
    const known = events.get(eventId);
    if (known !== undefined) return known;
    const stored = await findEvent(house.database.db, eventId);
    if (stored === undefined) throw new Error(`the house has no ${eventId}`);
    const pdu = JSON.parse(stored.pdu) as Pdu;
    for (const id of [...edgeIds(pdu.auth_events), ...edgeIds(pdu.prev_events)]) await adopt(house, id);
    const event = judge(eventId, pdu, stored.pdu);
    events.set(eventId, event);
    return event;
  };
  return {
    roomId,
    version,
    events,
    get,
    adopt,
    add(proposal) {
      const event = build(proposal);
      events.set(event.eventId, event);
      return event;
    },
    build,
    tips,
    resolve,
    keyOf,
  };
}

type Input = InputOf<RoomsProtocol, 'rooms.receive-event'>;

/** Gives one event to the house. */
export function receive(
  house: RoomsHouse,
  roomId: string,
  event: Pick<ForeignEvent, 'eventId' | 'json'>,
  options: Partial<Pick<Input, 'stateBefore' | 'isFinal' | 'receivedFrom'>> = {},
): Promise<Received | Refusal> {
  return house.rooms.ask('rooms.receive-event', {
    roomId,
    event: { eventId: event.eventId, pdu: event.json },
    receivedFrom: 'other.example',
    stateBefore: null,
    isFinal: false,
    ...options,
  });
}

/** Gives one event to the house, and what it says is missing before it. */
export async function deliver(
  house: RoomsHouse,
  room: ForeignRoom,
  event: ForeignEvent,
): Promise<Exclude<Received, { readonly kind: 'missing' }>> {
  const reply = await receive(house, room.roomId, event);
  if (isRefusal(reply)) throw new Error(`refused: ${reply.errcode} ${reply.error}`);
  if (reply.kind !== 'missing') return reply;
  const ids = [...new Set([...reply.prevEvents, ...reply.authEvents])];
  if (ids.length === 0) throw new Error(`${event.eventId} misses nothing`);
  for (const id of ids) await deliver(house, room, room.get(id));
  return deliver(house, room, event);
}
