import type { JsonObject } from '../../../../src/kit/json.ts';
import { eventIdOf } from '../../../../src/matrix/events/event-id.ts';
import type { Pdu } from '../../../../src/matrix/events/pdu.ts';
import { roomIdOfCreateEvent } from '../../../../src/matrix/identifiers/room-id.ts';
import { authEventKeys } from '../../../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../../../src/matrix/rooms/auth-rules.ts';
import { getRoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import type { RoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import { createMemorySource } from '../../../../src/matrix/state-resolution/memory-source.ts';
import type { ResolutionEvent, ResolutionTrace } from '../../../../src/matrix/state-resolution/resolution.ts';
import { resolveState } from '../../../../src/matrix/state-resolution/resolve-state.ts';
import { stateName } from '../../../../src/matrix/state-resolution/state-map.ts';
import type { StateMap } from '../../../../src/matrix/state-resolution/state-map.ts';

/** The users of the stories: alice makes the room. */
export const ALICE = '@alice:a';
export const BOB = '@bob:b';
export const CAROL = '@carol:c';
export const DAVE = '@dave:d';
export const EVE = '@eve:e';

/** What may be said of an event beside what it does. */
export interface EventDetails {
  /** Without the `$`. Made from what it does when absent. */
  readonly id?: string;
  /** Later than all that was told before when absent. */
  readonly ts?: number;
  readonly depth?: number;
  /** Ids of other auth events than those of the branch's state. */
  readonly authEvents?: readonly string[];
  /** It need not be allowed where it is sent: a server that lies, or one that sees another state. */
  readonly isForced?: boolean;
  /** It was rejected: it takes no place in the state of its branch. */
  readonly isRejected?: boolean;
}

/** One line of a room's history; sending gives a longer one and leaves this one as it is. */
export interface Branch {
  readonly state: StateMap;
  /** The id of the event at its end. */
  readonly tip: string;
  send(sender: string, type: string, stateKey: string, content: JsonObject, details?: EventDetails): Branch;
  member(
    sender: string,
    target: string,
    membership: string,
    more?: JsonObject,
    details?: EventDetails,
  ): Branch;
  join(user: string, details?: EventDetails): Branch;
  ban(sender: string, target: string, details?: EventDetails): Branch;
  kick(sender: string, target: string, details?: EventDetails): Branch;
  topic(sender: string, topic: string, details?: EventDetails): Branch;
  joinRule(sender: string, rule: string, details?: EventDetails): Branch;
  /** @param users levels; alice has 100 without being named, infinitely much in version 12 */
  levels(sender: string, users: Readonly<Record<string, number>>, details?: EventDetails): Branch;
  /** The same line with another state: as a server that does not agree sees it. */
  withState(state: StateMap): Branch;
}

/** A room whose history is told by a test. */
export interface Story {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly createId: string;
  readonly events: ReadonlyMap<string, ResolutionEvent>;
  /** The room just after its create event. */
  readonly beginning: Branch;
  /** Public, with alice, bob, carol, dave and eve inside; bob has level 50. */
  readonly usual: Branch;
  resolve(branches: readonly Pick<Branch, 'state'>[], onTrace?: (trace: ResolutionTrace) => void): StateMap;
  /** What stands at a place when branches meet; undefined when nothing does. */
  standing(branches: readonly Pick<Branch, 'state'>[], type: string, stateKey?: string): string | undefined;
}

/** Starts a room. Its create event has a real id, for rules look at that; the others have the names that the story gives. */
export function tellStory(versionId: string): Story {
  const version = getRoomVersion(versionId);
  const events = new Map<string, ResolutionEvent>();
  const isHashRoom = version.roomIdFormat === 'create-event';
  const create = createEvent(version, isHashRoom);
  const createId = eventIdOf(version, create) ?? '';
  const roomId = isHashRoom ? roomIdOfCreateEvent(createId) : '!room:a';
  events.set(createId, { eventId: createId, pdu: create, isRejected: false });
  const source = createMemorySource(events);
  let clock = 1;

  const resolve: Story['resolve'] = (branches, onTrace) =>
    resolveState({ version, roomId, states: branches.map(({ state }) => state), source }, onTrace);

  function branchOf(state: StateMap, tip: string, depth: number): Branch {
    const branch: Branch = {
      state,
      tip,
      send(sender, type, stateKey, content, details = {}) {
        clock += 1;
        const { id = `${type}-${stateKey}-by-${sender}-${clock}`, ts = clock, isRejected = false } = details;
        const eventId = `$${id}`;
        if (events.has(eventId)) throw new Error(`the story tells of ${eventId} twice`);
        const selected = authEventKeys(version, { type, sender, content, state_key: stateKey })
          .map((key) => state.get(stateName(key.type, key.stateKey)))
          .filter((authEvent) => authEvent !== undefined);
        const pdu: Pdu = {
          type,
          sender,
          room_id: roomId,
          state_key: stateKey,
          content,
          depth: details.depth ?? depth + 1,
          origin_server_ts: ts,
          prev_events: toEdges(version, [tip]),
          auth_events: toEdges(version, details.authEvents ?? selected),
          hashes: {},
          signatures: {},
          ...(version.eventIdFormat === 'server-chosen' ? { event_id: eventId } : {}),
        };
        events.set(eventId, { eventId, pdu, isRejected });
        if (isRejected) return branchOf(state, eventId, depth + 1);
        if (details.isForced !== true) expectAllowed(pdu, state);
        return branchOf(new Map(state).set(stateName(type, stateKey), eventId), eventId, depth + 1);
      },
      member: (sender, target, membership, more = {}, details = {}) =>
        branch.send(sender, 'm.room.member', target, { membership, ...more }, details),
      join: (user, details) => branch.member(user, user, 'join', {}, details),
      ban: (sender, target, details) => branch.member(sender, target, 'ban', {}, details),
      kick: (sender, target, details) => branch.member(sender, target, 'leave', {}, details),
      topic: (sender, topic, details) => branch.send(sender, 'm.room.topic', '', { topic }, details),
      joinRule: (sender, rule, details) =>
        branch.send(sender, 'm.room.join_rules', '', { join_rule: rule }, details),
      levels: (sender, users, details) =>
        branch.send(
          sender,
          'm.room.power_levels',
          '',
          { users: version.creatorsArePrivileged ? users : { [ALICE]: 100, ...users } },
          details,
        ),
      withState: (other) => branchOf(other, tip, depth),
    };
    return branch;
  }

  function expectAllowed(pdu: Pdu, state: StateMap): void {
    const find = (type: string, stateKey: string): Pdu | undefined => {
      if (type === 'm.room.create' && isHashRoom) return create;
      const standing = state.get(stateName(type, stateKey));
      return standing === undefined ? undefined : events.get(standing)?.pdu;
    };
    const decision = authorise(version, { roomId, pdu }, { find });
    if (!decision.allowed) throw new Error(`the story breaks rule ${decision.rule}: ${decision.reason}`);
  }

  const beginning = branchOf(new Map([[stateName('m.room.create', ''), createId]]), createId, 1);
  const usual = beginning
    .join(ALICE, { id: 'alice-joins' })
    .levels(ALICE, { [BOB]: 50 }, { id: 'first-levels' })
    .joinRule(ALICE, 'public', { id: 'public' })
    .join(BOB, { id: 'bob-joins' })
    .join(CAROL, { id: 'carol-joins' })
    .join(DAVE, { id: 'dave-joins' })
    .join(EVE, { id: 'eve-joins' });
  return {
    version,
    roomId,
    createId,
    events,
    beginning,
    usual,
    resolve,
    standing: (branches, type, stateKey = '') => resolve(branches).get(stateName(type, stateKey)),
  };
}

/** A state without what stands at one place. */
export function without(state: StateMap, type: string, stateKey = ''): StateMap {
  const rest = new Map(state);
  rest.delete(stateName(type, stateKey));
  return rest;
}

function createEvent(version: RoomVersion, isHashRoom: boolean): Pdu {
  return {
    type: 'm.room.create',
    sender: ALICE,
    state_key: '',
    content: { room_version: version.id, ...(version.creatorInContent ? { creator: ALICE } : {}) },
    depth: 1,
    origin_server_ts: 1,
    prev_events: [],
    auth_events: [],
    hashes: {},
    signatures: {},
    ...(isHashRoom ? {} : { room_id: '!room:a' }),
    ...(version.eventIdFormat === 'server-chosen' ? { event_id: '$create:a' } : {}),
  };
}

function toEdges(version: RoomVersion, eventIds: readonly string[]): Pdu['auth_events'] {
  return version.eventIdFormat === 'server-chosen' ? eventIds.map((id) => [id, {}]) : eventIds;
}
