import type { ReadDb } from '../../db/kit/read-db.ts';
import { type EventNote, readEventNotes } from '../../db/rooms/explain-reader.ts';
import type { AuthDecision } from '../matrix/rooms/auth-decision.ts';
import type { DecisionSummary, EventSummary } from './explanation.ts';

/** What the inspector says of an event. */
export function summaryOf(note: EventNote): EventSummary {
  return {
    event_id: note.eventId,
    type: note.type,
    state_key: note.stateKey,
    sender: note.sender,
    origin_server_ts: note.originServerTs,
    received_from: note.receivedFrom,
  };
}

/** What the inspector says of a decision. */
export function summaryOfDecision(decision: AuthDecision): DecisionSummary {
  return decision.allowed
    ? { allowed: true, rule: null, reason: null }
    : { allowed: false, rule: decision.rule, reason: decision.reason };
}

/** Summaries of stored events, by id. */
export async function readSummaries(
  db: ReadDb,
  eventIds: Iterable<string>,
): Promise<(eventId: string) => EventSummary> {
  const notes = await readEventNotes(db, [...new Set(eventIds)]);
  return (eventId) => {
    const note = notes.get(eventId);
    if (note === undefined) throw new Error(`event ${eventId} of a state is not stored`);
    return summaryOf(note);
  };
}
