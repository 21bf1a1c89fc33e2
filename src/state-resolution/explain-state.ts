import type { ReadDb } from '../../db/kit/read-db.ts';
import { readRefusedStateEvents } from '../../db/rooms/explain-reader.ts';
import { isRefusal, type Refusal } from '../matrix/refusal.ts';
import { getRoomVersion, type RoomVersion } from '../matrix/rooms/room-versions.ts';
import { stateName } from '../matrix/state-resolution/state-map.ts';
import { readAuthOfEvent } from './auth-of-event.ts';
import { createEventLoader, type EventLoader } from './event-loader.ts';
import { readSummaries, summaryOf, summaryOfDecision } from './event-summary.ts';
import type { RefusedCandidate, StateExplanation, StateQuestion } from './explanation.ts';
import { createPlaceHistory, type Origin, type StatefulEvent, WALK_EVENTS_MAX } from './place-history.ts';
import { type Replay, replayResolution } from './replay.ts';
import { findKnownRoom, findStateAt } from './state-at.ts';

/** Rejected and soft-failed events that are told. */
export const REFUSED_MAX = 50;

interface ExplainedRoom {
  readonly version: RoomVersion;
  readonly roomId: string;
}

async function describeWinner(
  db: ReadDb,
  loader: EventLoader,
  room: ExplainedRoom,
  eventId: string,
): Promise<StateExplanation['winner']> {
  const { event, decision } = await readAuthOfEvent(loader, room, eventId);
  const summary = (await readSummaries(db, [eventId]))(eventId);
  return {
    ...summary,
    content: event.pdu.content,
    redacted: event.isRedacted,
    decision: summaryOfDecision(decision),
  };
}

async function readRefused(
  db: ReadDb,
  roomNid: number,
  { type, stateKey }: StateQuestion,
): Promise<readonly RefusedCandidate[]> {
  const notes = await readRefusedStateEvents(db, roomNid, { type, stateKey }, REFUSED_MAX);
  return notes.map((note) => ({ ...summaryOf(note), rejection: note.rejection ?? '' }));
}

function describeOrigin(
  origin: Origin,
  version: RoomVersion,
): Pick<StateExplanation, 'decided_at' | 'set_at'> {
  if (origin.kind === 'none') return { decided_at: null, set_at: null };
  if (origin.kind !== 'met') {
    return { decided_at: null, set_at: { event_id: origin.eventId, how: origin.kind } };
  }
  const { node } = origin;
  const decided = {
    event_id: node.eventId,
    prev_events: node.prevEventIds,
    algorithm: version.stateResolution,
    room_version: version.id,
  };
  return { decided_at: decided, set_at: null };
}

type Resolution = Pick<
  StateExplanation,
  'conflicted' | 'conflicted_places' | 'auth_difference' | 'steps' | 'steps_left_out' | 'resolved_again'
>;

const NO_RESOLUTION: Resolution = {
  conflicted: [],
  conflicted_places: 0,
  auth_difference: 0,
  steps: [],
  steps_left_out: 0,
  resolved_again: null,
};

function describeReplay(replay: Replay, name: string, stored: string | undefined): Resolution {
  const eventId = replay.result.get(name);
  return {
    conflicted: replay.conflicted,
    conflicted_places: replay.conflictedPlaces,
    auth_difference: replay.authDifference,
    steps: replay.steps,
    steps_left_out: replay.stepsLeftOut,
    resolved_again: { event_id: eventId ?? null, is_as_stored: eventId === stored },
  };
}

/**
 * Says why an entry of a room's state is what it is: the event that stands there, where states that disagreed about it last met, and how
 * each event of that resolution stood or fell. The resolution is done again, from what is stored. All reads see one world.
 *
 * @param options `walkMax` is how many events are walked back over, {@link WALK_EVENTS_MAX} when absent
 * @returns refused with M_NOT_FOUND when the room or the event is not known, or the state at the event is not
 */
export function explainState(
  db: ReadDb,
  question: StateQuestion,
  options: { readonly walkMax?: number } = {},
): Promise<StateExplanation | Refusal> {
  return db.snapshot(async (world) => {
    const record = await findKnownRoom(world, question.roomId);
    if (isRefusal(record)) return record;
    const start = await findStateAt(world, record, question.at);
    if (isRefusal(start)) return start;
    const { type, stateKey } = question;
    const room = { version: getRoomVersion(record.roomVersion), roomId: record.roomId };
    const name = stateName(type, stateKey);
    const walkMax = options.walkMax ?? WALK_EVENTS_MAX;
    const history = createPlaceHistory(
      world,
      { roomNid: record.roomNid, version: room.version },
      question,
      walkMax,
    );
    const winner = await history.entryOf(start.stateGroup);
    const { origin, eventsWalked, isTruncated } = await history.findOrigin(start);
    const newLoader = (): EventLoader => createEventLoader(world, { version: room.version, unstored: [] });
    const replay = (events: readonly StatefulEvent[]): Promise<Replay> =>
      replayResolution(world, newLoader(), room, events, name);
    return {
      room_id: room.roomId,
      at: question.at,
      type,
      state_key: stateKey,
      winner: winner === undefined ? null : await describeWinner(world, newLoader(), room, winner),
      ...describeOrigin(origin, room.version),
      ...(origin.kind === 'met' ? describeReplay(await replay(origin.met), name, winner) : NO_RESOLUTION),
      refused: await readRefused(world, record.roomNid, question),
      search: { events_walked: eventsWalked, is_truncated: isTruncated },
    };
  });
}
