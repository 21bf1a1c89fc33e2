import { defineQuery } from '../../../db/kit/query.ts';
import { step, type WriteStep } from '../../../db/kit/write-set.ts';
import type { StateGroupChange, StateGroupWrite } from '../../../db/rooms/state-group-writer.ts';
import { storeStateGroup } from '../../../db/rooms/state-group-writer.ts';
import { insertRoom, storeEvent } from '../../../db/rooms/writer.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { type BuiltEvent, buildEvent, type EventReference } from '../../../src/matrix/events/build-event.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import type { AuthDecision } from '../../../src/matrix/rooms/auth-decision.ts';
import { authEventKeys } from '../../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../../src/matrix/rooms/auth-rules.ts';
import { getRoomVersion, type RoomVersion } from '../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey } from '../../../src/matrix/signing.ts';
import { createMemorySource } from '../../../src/matrix/state-resolution/memory-source.ts';
import type { ResolutionEvent } from '../../../src/matrix/state-resolution/resolution.ts';
import { resolveState } from '../../../src/matrix/state-resolution/resolve-state.ts';
import { type StateMap, stateName } from '../../../src/matrix/state-resolution/state-map.ts';
import { layOver, differenceBetween } from '../../../src/state-resolution/stored-states.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

export const CREATOR = '@creator:example.com';
const SIGNER = { serverName: 'example.com', key: makeServerKey(seededRandom(3).bytes(32), 'test') };

/** Often enough that small rooms have some, seldom enough that large ones are made quickly. */
function isCheckpointDue(groupDepth: number): boolean {
  return groupDepth % (groupDepth < 100 ? 7 : 1_000) === 0;
}

type OfEvent = { readonly eventId: string };
const markEvent = defineQuery<
  OfEvent & { readonly rejection: string | null; readonly receivedFrom: string | null }
>({
  name: 'test.mark-event',
  sql: `UPDATE events SET rejection = :rejection, received_from = :receivedFrom,
               stream_ordering = iif(:rejection IS NULL, stream_ordering, NULL) WHERE event_id = :eventId`,
});
const markRedacted = defineQuery<OfEvent & { readonly redactedBy: string }>({
  name: 'test.mark-redacted',
  sql: `UPDATE events SET redacted_by = (SELECT event_nid FROM events WHERE event_id = :redactedBy) WHERE event_id = :eventId`,
});
const forgetEvent = defineQuery<OfEvent>({
  name: 'test.forget-event',
  sql: 'DELETE FROM events WHERE event_id = :eventId',
});
const clearExtremities = defineQuery<{ readonly roomNid: number }>({
  name: 'test.clear-extremities',
  sql: 'DELETE FROM forward_extremities WHERE room_nid = :roomNid',
});
const addExtremity = defineQuery<OfEvent & { readonly roomNid: number }>({
  name: 'test.add-extremity',
  sql: `INSERT INTO forward_extremities (room_nid, event_nid) SELECT :roomNid, event_nid FROM events WHERE event_id = :eventId`,
});
const setResolved = defineQuery<{ readonly roomNid: number; readonly stateGroup: number | null }>({
  name: 'test.set-resolved',
  sql: 'UPDATE rooms SET resolved_state_group = :stateGroup WHERE room_nid = :roomNid',
});

/** A database that knows the queries of the builder. */
export function createForkDatabase(): Promise<TestDatabase> {
  return createTestDatabase({
    queries: [markEvent, markRedacted, forgetEvent, clearExtremities, addExtremity, setResolved],
  });
}

/** An event to be added to a room. */
export interface NewEvent {
  readonly type: string;
  /** Absent: a message. */
  readonly stateKey?: string;
  readonly sender: string;
  readonly content?: JsonObject;
  /** Labels are ids; the newest event when absent. */
  readonly prev?: readonly string[];
  readonly ts?: number;
  readonly receivedFrom?: string;
  /** `rejected: …` or `soft-failed: …`; it then sets nothing. */
  readonly rejection?: string;
  /** The state before it, when it does not follow from `prev`. */
  readonly stateBefore?: StateMap;
  /** Known to nobody but the memory of the test: neither the event nor its state is stored. */
  readonly isUnstored?: boolean;
  /** Stored without a state. */
  readonly isOutlier?: boolean;
}

/** A room that grows in the database and, beside it, in memory, where everything is known. */
export interface ForkedRoom {
  readonly roomId: string;
  readonly roomNid: number;
  readonly version: RoomVersion;
  readonly events: ReadonlyMap<string, ResolutionEvent>;
  readonly pduText: (eventId: string) => string;
  /** The newest event. */
  readonly newest: string;
  stateAfter(eventId: string): StateMap;
  stateGroupAfter(eventId: string): number;
  /** What `events` resolve to, by a source that has everything. */
  resolve(eventIds: readonly string[]): StateMap;
  /** What the rules say to an event at the state before it. */
  decide(event: NewEvent): AuthDecision;
  /** Adds an event: stored with the next {@link ForkedRoom.flush}. */
  add(event: NewEvent): string;
  redact(eventId: string, redactedBy: string): void;
  /** Makes events the forward extremities. */
  leaveOpen(eventIds: readonly string[]): void;
  /** Deletes an event from the database. */
  forget(eventId: string): void;
  flush(): Promise<void>;
}

let rooms = 0;
let groups = 0;

interface Grown {
  readonly built: BuiltEvent;
  readonly stateAfter: StateMap;
  readonly stateGroup: number;
  readonly groupDepth: number;
}

function eventsOf(): Map<string, ResolutionEvent> {
  return new Map();
}

/** Starts a room with its create event; more comes with `add`. */
export function startForkedRoom(database: TestDatabase, versionId: string): ForkedRoom {
  const version = getRoomVersion(versionId);
  rooms += 1;
  const roomNid = rooms;
  const grown = new Map<string, Grown>();
  const events = eventsOf();
  const steps: WriteStep[] = [];
  let later: WriteStep[] = [];
  let count = 0;
  let localparts = 0;
  let newest = '';
  let roomId = version.roomIdFormat === 'create-event' ? '' : `!forked${roomNid}:example.com`;

  const get = (eventId: string): Grown => {
    const found = grown.get(eventId);
    if (found === undefined) throw new Error(`the test has no event ${eventId}`);
    return found;
  };
  const referenceOf = (eventId: string): EventReference => ({ eventId, sha256: get(eventId).built.sha256 });
  const source = createMemorySource(events);
  const resolve = (eventIds: readonly string[]): StateMap => {
    const [first = new Map<string, string>(), ...others] = eventIds.map((eventId) => get(eventId).stateAfter);
    if (others.length === 0) return first;
    const states = [first, ...others];
    return resolveState({ version, roomId, states, source });
  };
  const prevOf = ({ prev, type }: NewEvent): readonly string[] =>
    type === 'm.room.create' ? [] : (prev ?? [newest]);
  const stateBefore = (event: NewEvent): StateMap => event.stateBefore ?? resolve(prevOf(event));
  const build = (event: NewEvent, before: StateMap): BuiltEvent => {
    const { type, stateKey, sender, content = {}, ts } = event;
    const isState = stateKey !== undefined;
    const subject = { type, sender, content, ...(isState && { state_key: stateKey }) };
    const authEvents = authEventKeys(version, subject).flatMap((key) => {
      const eventId = before.get(stateName(key.type, key.stateKey));
      return eventId === undefined ? [] : [referenceOf(eventId)];
    });
    const prev = prevOf(event);
    const depth = 1 + Math.max(0, ...prev.map((eventId) => get(eventId).built.pdu.depth));
    localparts += 1;
    const built = buildEvent(
      {
        version,
        roomId: type === 'm.room.create' && roomId === '' ? null : roomId,
        sender,
        type,
        ...(isState && { stateKey }),
        content,
        prevEvents: prev.map(referenceOf),
        authEvents,
        depth,
        originServerTs: ts ?? 1_000_000 + localparts,
        ...(version.eventIdFormat === 'server-chosen' && { eventIdLocalpart: `e${roomNid}x${localparts}` }),
      },
      SIGNER,
    );
    if (isRefusal(built)) throw new Error(built.error);
    return built;
  };
  const store = (event: NewEvent, built: BuiltEvent, group: StateGroupWrite | null): void => {
    const { type, stateKey } = event;
    steps.push(
      ...storeEvent(
        {
          roomNid,
          eventId: built.eventId,
          depth: built.pdu.depth,
          originServerTs: built.pdu.origin_server_ts,
          pdu: built.json,
          state: stateKey === undefined ? null : { type, stateKey, membership: null },
          stateGroup: group,
          follows: [],
          localMembership: null,
          redacts: null,
          transaction: null,
        },
        count,
      ),
    );
    count += 1;
    const { rejection = null, receivedFrom = null } = event;
    later.push(step(markEvent, { eventId: built.eventId, rejection, receivedFrom }));
  };
  const groupOf = (after: StateMap, own: readonly StateGroupChange[], event: NewEvent) => {
    const prev = prevOf(event);
    const parent = prev.map((eventId) => get(eventId)).find((one) => one.stateGroup > 0);
    const isPlain = prev.length === 1 && event.stateBefore === undefined && parent !== undefined;
    const changes = isPlain ? own : differenceBetween(parent?.stateAfter ?? new Map<string, string>(), after);
    if (parent !== undefined && changes.length === 0)
      return { stateGroup: parent.stateGroup, groupDepth: parent.groupDepth, write: null };
    groups += 1;
    const groupDepth = (parent?.groupDepth ?? 0) + 1;
    const write: StateGroupWrite = {
      kind: 'new',
      stateGroup: groups,
      parent: parent?.stateGroup ?? null,
      changes,
      isCheckpoint: parent === undefined || isCheckpointDue(groupDepth),
    };
    return { stateGroup: groups, groupDepth, write };
  };

  const room: ForkedRoom = {
    get roomId() {
      return roomId;
    },
    get newest() {
      return newest;
    },
    roomNid,
    version,
    events,
    pduText: (eventId) => get(eventId).built.json,
    stateAfter: (eventId) => get(eventId).stateAfter,
    stateGroupAfter: (eventId) => get(eventId).stateGroup,
    resolve,
    decide(event) {
      const before = stateBefore(event);
      const { pdu } = build(event, before);
      const find = (type: string, stateKey: string): Pdu | undefined => {
        const eventId = before.get(stateName(type, stateKey));
        return eventId === undefined ? undefined : events.get(eventId)?.pdu;
      };
      return authorise(version, { roomId, pdu }, { find });
    },
    add(event) {
      const before = stateBefore(event);
      const built = build(event, before);
      const { eventId } = built;
      if (roomId === '') roomId = built.roomId;
      const isRejected = event.rejection?.startsWith('rejected') === true;
      events.set(eventId, { eventId, pdu: built.pdu, isRejected });
      const own: StateGroupChange[] =
        event.stateKey === undefined || isRejected
          ? []
          : [{ type: event.type, stateKey: event.stateKey, eventId }];
      const after = layOver(before, own);
      if (event.isUnstored === true || event.isOutlier === true) {
        grown.set(eventId, { built, stateAfter: after, stateGroup: 0, groupDepth: 0 });
        if (event.isOutlier === true) store(event, built, null);
      } else {
        const { write, ...group } = groupOf(after, own, event);
        grown.set(eventId, { built, stateAfter: after, ...group });
        store(event, built, write ?? { kind: 'existing', stateGroup: group.stateGroup });
      }
      newest = eventId;
      return eventId;
    },
    redact: (eventId, redactedBy) => void later.push(step(markRedacted, { eventId, redactedBy })),
    leaveOpen(eventIds) {
      later.push(step(clearExtremities, { roomNid }));
      for (const eventId of eventIds) later.push(step(addExtremity, { roomNid, eventId }));
      const [first] = eventIds;
      if (eventIds.length < 2 || first === undefined) {
        later.push(step(setResolved, { roomNid, stateGroup: null }));
        return;
      }
      groups += 1;
      const changes = differenceBetween(get(first).stateAfter, resolve(eventIds));
      const parent = get(first).stateGroup;
      later.push(
        ...storeStateGroup(roomNid, {
          kind: 'new',
          stateGroup: groups,
          parent,
          changes,
          isCheckpoint: false,
        }),
        step(setResolved, { roomNid, stateGroup: groups }),
      );
    },
    forget: (eventId) => void later.push(step(forgetEvent, { eventId })),
    async flush() {
      const advance = count === 0 ? {} : { advance: { stream: 'events', count } };
      const outcome = await database.write.write({
        owner: 'rooms',
        ...advance,
        steps: [...steps.splice(0), ...later],
      });
      later = [];
      count = 0;
      if (outcome.kind !== 'committed') throw new Error(JSON.stringify(outcome));
    },
  };
  steps.push(
    step(insertRoom, {
      roomNid,
      roomId: `pending${roomNid}`,
      roomVersion: versionId,
      creator: CREATOR,
      isPublic: 0,
    }),
  );
  const content = {
    room_version: versionId,
    number: roomNid,
    ...(version.creatorInContent && { creator: CREATOR }),
  };
  room.add({ type: 'm.room.create', stateKey: '', sender: CREATOR, content });
  steps[0] = step(insertRoom, { roomNid, roomId, roomVersion: versionId, creator: CREATOR, isPublic: 0 });
  return room;
}
