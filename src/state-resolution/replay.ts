import type { ReadDb } from '../../db/kit/read-db.ts';
import type { RoomVersion } from '../matrix/rooms/room-versions.ts';
import type { ResolutionStep, ResolutionTrace } from '../matrix/state-resolution/resolution.ts';
import { resolveState } from '../matrix/state-resolution/resolve-state.ts';
import { stateKeyOf, type StateMap } from '../matrix/state-resolution/state-map.ts';
import { readAuthOfEvent } from './auth-of-event.ts';
import type { EventLoader } from './event-loader.ts';
import { readSummaries, summaryOfDecision } from './event-summary.ts';
import type { Candidate, ConflictedPlace, StepSummary } from './explanation.ts';
import { loadForResolution } from './load-and-resolve.ts';
import type { StatefulEvent } from './place-history.ts';
import { readStateMap } from './stored-states.ts';

/** Conflicted places that are told in full, the one that was asked for among them. */
export const CONFLICTED_PLACES_MAX = 20;
/** Candidates of one place that are told. */
export const CANDIDATES_MAX = 50;
/** Steps that are told. */
export const STEPS_MAX = 200;

/** A resolution that was done again for people to look at. */
export interface Replay {
  readonly result: StateMap;
  readonly conflicted: readonly ConflictedPlace[];
  readonly conflictedPlaces: number;
  readonly authDifference: number;
  readonly steps: readonly StepSummary[];
  readonly stepsLeftOut: number;
}

interface Met {
  readonly eventId: string;
  readonly state: StateMap;
}

interface ReplayRoom {
  readonly version: RoomVersion;
  readonly roomId: string;
}

async function readCandidates(
  db: ReadDb,
  loader: EventLoader,
  room: ReplayRoom,
  met: readonly Met[],
  [name, eventIds]: readonly [string, readonly string[]],
): Promise<ConflictedPlace> {
  const { type, stateKey } = stateKeyOf(name);
  const told = eventIds.slice(0, CANDIDATES_MAX);
  const summaryOf = await readSummaries(db, told);
  const candidates: Candidate[] = [];
  for (const eventId of told) {
    const { senderLevel } = await readAuthOfEvent(loader, room, eventId);
    candidates.push({
      ...summaryOf(eventId),
      stands_after: met.filter(({ state }) => state.get(name) === eventId).map((one) => one.eventId),
      sender_level: Number.isFinite(senderLevel) ? senderLevel : null,
    });
  }
  return { type, state_key: stateKey, candidates };
}

async function readSteps(
  db: ReadDb,
  steps: readonly ResolutionStep[],
  ofPlace: ReadonlySet<string>,
): Promise<readonly StepSummary[]> {
  const rank = ({ eventId, pass }: ResolutionStep): number => {
    if (ofPlace.has(eventId)) return 0;
    return pass === 'power' ? 1 : 2;
  };
  const told = steps
    .map((step, order) => ({ step, order }))
    .toSorted((left, right) => rank(left.step) - rank(right.step) || left.order - right.order)
    .slice(0, STEPS_MAX);
  const summaryOf = await readSummaries(
    db,
    told.map(({ step }) => step.eventId),
  );
  return told.map(({ step: { eventId, pass, decision }, order }) => ({
    order,
    pass,
    ...summaryOf(eventId),
    ...summaryOfDecision(decision),
  }));
}

/**
 * Resolves again the states after some events.
 *
 * @param name the place that is told first
 */
export async function replayResolution(
  db: ReadDb,
  loader: EventLoader,
  room: ReplayRoom,
  events: readonly StatefulEvent[],
  name: string,
): Promise<Replay> {
  const met: Met[] = [];
  for (const { eventId, stateGroup } of events)
    met.push({ eventId, state: await readStateMap(db, stateGroup) });
  const states = met.map(({ state }) => state);
  await loadForResolution(loader, room.version, states);
  const traces: ResolutionTrace[] = [];
  const result = resolveState({ ...room, states, source: loader.source }, (trace) => traces.push(trace));
  const [trace] = traces;
  if (trace === undefined) throw new Error('a resolution left no trace');
  const asked = trace.conflicted.get(name) ?? [];
  const others = [...trace.conflicted].filter(([other]) => other !== name);
  const told = [[name, asked] as const, ...others.slice(0, CONFLICTED_PLACES_MAX - 1)];
  const conflicted: ConflictedPlace[] = [];
  for (const place of told) conflicted.push(await readCandidates(db, loader, room, met, place));
  const steps = await readSteps(db, trace.steps, new Set(asked));
  return {
    result,
    conflicted,
    conflictedPlaces: trace.conflicted.size,
    authDifference: trace.authDifference.length,
    steps,
    stepsLeftOut: trace.steps.length - steps.length,
  };
}
