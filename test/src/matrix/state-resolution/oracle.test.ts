import { expect } from 'chai';
import { createMemorySource } from '../../../../src/matrix/state-resolution/memory-source.ts';
import {
  eventsNeededWithChains,
  unconflictedEventsNeeded,
} from '../../../../src/matrix/state-resolution/needed-events.ts';
import type { ResolutionEvent, ResolutionTrace } from '../../../../src/matrix/state-resolution/resolution.ts';
import { resolveState } from '../../../../src/matrix/state-resolution/resolve-state.ts';
import { splitStates } from '../../../../src/matrix/state-resolution/split-states.ts';
import { stateName } from '../../../../src/matrix/state-resolution/state-map.ts';
import type { StateMap } from '../../../../src/matrix/state-resolution/state-map.ts';
import { resolveNaively } from './oracle/resolve-naively.ts';
import { randomRoom, withChains } from './random-rooms.ts';
import type { RandomRoom } from './random-rooms.ts';

const ROOMS = 800;
/** Set TROUPE_TEST_SEED to see the rooms of a failed run again. */
const SEED = Number(process.env['TROUPE_TEST_SEED'] ?? Date.now() % 1_000_000_000);

type Algorithm = 'v1' | 'v2' | 'v2.1';

/** Making a room costs more than resolving it, so the tests share them; nobody changes them. */
const made = new Map<Algorithm, readonly RandomRoom[]>();

function roomsOf(algorithm: Algorithm): readonly RandomRoom[] {
  const rooms =
    made.get(algorithm) ?? Array.from({ length: ROOMS }, (_, at) => randomRoom(SEED + at, algorithm));
  made.set(algorithm, rooms);
  return rooms;
}

/** Runs a check over random rooms; a failure names the seed of its room. */
function forRooms(algorithm: Algorithm, check: (room: RandomRoom) => void): void {
  for (const [at, room] of roomsOf(algorithm).entries()) {
    try {
      check(room);
    } catch (error) {
      throw new Error(`with the room of seed ${SEED + at}: ${String(error)}`, { cause: error });
    }
  }
}

function explain({ input }: RandomRoom): { readonly result: StateMap; readonly trace: ResolutionTrace } {
  let trace: ResolutionTrace | undefined;
  const result = resolveState(input, (told) => (trace = told));
  if (trace === undefined) throw new Error('no trace was told');
  return { result, trace };
}

for (const algorithm of ['v1', 'v2', 'v2.1'] as const) {
  describe(`random rooms of algorithm ${algorithm}`, () => {
    it(`are resolved as by the specification's prose, ${ROOMS} times`, () => {
      let conflicts = 0;
      forRooms(algorithm, (room) => {
        const result = resolveState(room.input);
        expect(result).to.deep.equal(resolveNaively(room.input));
        if (splitStates(room.input.states, algorithm).conflicted.size > 1) conflicts += 1;
      });
      expect(conflicts, 'rooms with conflicts').to.be.above(ROOMS / 5);
    });

    it('resolve to the same in any order of their states, and when states are repeated', () => {
      forRooms(algorithm, ({ input }) => {
        const { states } = input;
        const expected = resolveState(input);
        for (const other of [states.toReversed(), [...states.slice(1), ...states], [...states, ...states]]) {
          expect(resolveState({ ...input, states: other })).to.deep.equal(expected);
        }
      });
    });

    it('resolve to a state that resolves to itself', () => {
      forRooms(algorithm, ({ input }) => {
        const result = resolveState(input);
        for (const states of [[result], [result, new Map(result)]]) {
          expect(resolveState({ ...input, states })).to.deep.equal(result);
        }
      });
    });

    it('keep every entry that all states have', () => {
      forRooms(algorithm, ({ input }) => {
        const result = resolveState(input);
        const [first = new Map<string, string>(), ...others] = input.states;
        for (const [name, eventId] of first) {
          if (others.every((state) => state.get(name) === eventId))
            expect(result.get(name)).to.equal(eventId);
        }
      });
    });

    it('have at each place an event of that place, out of the states or of what was looked at', () => {
      forRooms(algorithm, (room) => {
        const { result, trace } = explain(room);
        const known = new Set(room.input.states.flatMap((state) => [...state.values()]));
        for (const eventId of [...trace.authDifference, ...trace.conflictedSubgraph]) known.add(eventId);
        for (const [name, eventId] of result) {
          const { pdu, isRejected } = room.input.source.event(eventId);
          expect(stateName(pdu.type, pdu.state_key ?? '')).to.equal(name);
          expect(known.has(eventId)).to.equal(true);
          expect(isRejected).to.equal(false);
        }
      });
    });

    it('need what they say that they need, and nothing else', () => {
      forRooms(algorithm, ({ story, input }) => {
        const { version, states } = input;
        const split = splitStates(states);
        const wanted = eventsNeededWithChains(version, split);
        const whole = new Map<string, ResolutionEvent>();
        const load = (eventIds: Iterable<string>): void => {
          for (const eventId of eventIds) {
            const event = story.events.get(eventId);
            if (event !== undefined) whole.set(eventId, event);
          }
        };
        load(algorithm === 'v1' ? wanted : withChains(story, wanted));
        load(unconflictedEventsNeeded(version, [...whole.values()], split.unconflicted));
        const edges = new Map<string, readonly string[]>();
        const everything = createMemorySource(story.events);
        const shared = algorithm === 'v1' ? [] : withChains(story, split.unconflicted.values());
        for (const eventId of shared) edges.set(eventId, everything.authEventIds(eventId));
        const source = createMemorySource(whole, edges);
        expect(resolveState({ ...input, source })).to.deep.equal(resolveState(input));
      });
    });
  });
}

for (const algorithm of ['v2', 'v2.1'] as const) {
  it(`what stands after algorithm ${algorithm} is undisputed, or is the last at its place that was allowed`, () => {
    forRooms(algorithm, (room) => {
      const { result, trace } = explain(room);
      const { unconflicted } = splitStates(room.input.states);
      const last = new Map<string, string>();
      for (const { eventId, decision } of trace.steps) {
        const { pdu } = room.input.source.event(eventId);
        if (decision.allowed) last.set(stateName(pdu.type, pdu.state_key ?? ''), eventId);
      }
      expect(result).to.deep.equal(new Map([...last, ...unconflicted]));
    });
  });
}
