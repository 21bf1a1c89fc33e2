import { expect } from 'chai';
import { eventIdOf } from '../../../../src/matrix/events/event-id.ts';
import { edgeIds } from '../../../../src/matrix/events/pdu.ts';
import type { Pdu } from '../../../../src/matrix/events/pdu.ts';
import { roomIdOfCreateEvent } from '../../../../src/matrix/identifiers/room-id.ts';
import { authorise } from '../../../../src/matrix/rooms/auth-rules.ts';
import { getRoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import type { RoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import { createMemorySource } from '../../../../src/matrix/state-resolution/memory-source.ts';
import type { ResolutionEvent } from '../../../../src/matrix/state-resolution/resolution.ts';
import { resolveState } from '../../../../src/matrix/state-resolution/resolve-state.ts';
import { stateName } from '../../../../src/matrix/state-resolution/state-map.ts';
import type { StateMap } from '../../../../src/matrix/state-resolution/state-map.ts';
import { readVectors } from '../vectors/read-vectors.ts';
import { resolveNaively } from './oracle/resolve-naively.ts';

const NAMES = [
  'ban_vs_power_levels',
  'concurrent_joins',
  'join_rules_vs_join',
  'minimal_private_chat',
  'minimal_public_chat',
  'msc4297_problem_a_state_res_v2_0',
  'msc4297_problem_a_state_res_v2_1',
  'msc4297_problem_b_state_res_v2_0',
  'msc4297_problem_b_state_res_v2_1',
  'origin_server_ts_tiebreak',
  'power_levels_admin_vs_mod',
  'topic_vs_ban',
  'topic_vs_power_levels',
];

/** A PDU of the vectors has its id beside it, and neither depth nor hashes nor signatures. */
type VectorPdu = Omit<Pdu, 'depth' | 'hashes' | 'signatures'> & { readonly event_id: string };

interface Vector {
  readonly description: string;
  readonly room_version: string;
  readonly pdu_batches?: readonly (readonly VectorPdu[])[];
  readonly pdus?: readonly VectorPdu[];
  readonly state_sets?: readonly (readonly string[])[];
  readonly expected_state: readonly {
    readonly type: string;
    readonly state_key: string;
    readonly event_id: string;
  }[];
}

/** A vector whose create event has the id that it really has, everywhere: the rules compute it. */
interface VectorRoom {
  readonly version: RoomVersion;
  readonly roomId: string;
  /** In the order of the vector. */
  readonly events: ReadonlyMap<string, ResolutionEvent>;
  readonly stateSets: readonly StateMap[] | undefined;
  readonly expected: StateMap;
}

function readVector(name: string): VectorRoom {
  const original = readVectors(`state-res/${name}`) as Vector;
  const version = getRoomVersion(original.room_version);
  const pduOf = (pdu: VectorPdu): Pdu => {
    const rest = Object.entries(pdu).filter(([key]) => key !== 'event_id');
    return { ...Object.fromEntries(rest), depth: 1, hashes: {}, signatures: {} } as unknown as Pdu;
  };
  const [first] = original.pdus ?? original.pdu_batches?.flat() ?? [];
  if (first?.type !== 'm.room.create') throw new Error('a vector begins with its create event');
  const createId = eventIdOf(version, pduOf(first)) ?? '';
  const text = JSON.stringify(original)
    .replaceAll(JSON.stringify(first.event_id), JSON.stringify(createId))
    .replaceAll(JSON.stringify(`!${first.event_id.slice(1)}`), JSON.stringify(roomIdOfCreateEvent(createId)));
  const vector = JSON.parse(text) as Vector;
  const pdus = vector.pdus ?? vector.pdu_batches?.flat() ?? [];
  const events = new Map(
    pdus.map((pdu) => [pdu.event_id, { eventId: pdu.event_id, pdu: pduOf(pdu), isRejected: false }]),
  );
  const placeOf = (eventId: string): [string, string] => {
    const pdu = events.get(eventId)?.pdu;
    return [stateName(pdu?.type ?? '', pdu?.state_key ?? ''), eventId];
  };
  return {
    version,
    roomId: pdus[1]?.room_id as string,
    events,
    stateSets: vector.state_sets?.map((ids) => new Map(ids.map(placeOf))),
    expected: new Map(vector.expected_state.map((entry) => placeOf(entry.event_id))),
  };
}

type Resolve = (states: readonly StateMap[]) => StateMap;

/** The room as a server builds it that gets the events one after another. */
function stateAfterAll({ version, roomId, events }: VectorRoom, resolve: Resolve): StateMap {
  const after = new Map<string, StateMap>();
  const leaves = new Set<string>();
  for (const { eventId, pdu } of events.values()) {
    const previous = edgeIds(pdu.prev_events);
    const before = previous.length === 0 ? new Map<string, string>() : resolve(statesOf(after, previous));
    const find = (type: string, stateKey: string): Pdu | undefined =>
      events.get(before.get(stateName(type, stateKey)) ?? '')?.pdu;
    const isAllowed = authorise(version, { roomId, pdu }, { find }).allowed;
    const state = new Map(before);
    if (isAllowed && pdu.state_key !== undefined) state.set(stateName(pdu.type, pdu.state_key), eventId);
    after.set(eventId, state);
    for (const id of previous) leaves.delete(id);
    leaves.add(eventId);
  }
  return resolve(statesOf(after, [...leaves]));
}

function statesOf(after: ReadonlyMap<string, StateMap>, eventIds: readonly string[]): readonly StateMap[] {
  return eventIds.map((eventId) => after.get(eventId) ?? new Map<string, string>());
}

describe('published vectors of state resolution', () => {
  for (const name of NAMES) {
    const { description } = readVectors(`state-res/${name}`) as Vector;
    it(`${name}: ${description}`, () => {
      const room = readVector(name);
      const { version, roomId, events, stateSets, expected } = room;
      const source = createMemorySource(events);
      for (const implementation of [resolveState, resolveNaively]) {
        const resolve: Resolve = (states) => implementation({ version, roomId, states, source });
        const result = stateSets === undefined ? stateAfterAll(room, resolve) : resolve(stateSets);
        expect(result, implementation.name).to.deep.equal(expected);
      }
    });
  }
});
