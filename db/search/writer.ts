import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { roomWord } from './room-word.ts';

type OfEvent = { readonly eventNid: number };
type OfRoom = { readonly roomNid: number };

/** The words of one event. Null: it has no text of that kind. */
export interface SearchText extends OfEvent, OfRoom {
  readonly roomId: string;
  readonly body: string | null;
  readonly name: string | null;
  readonly topic: string | null;
}

// It is looked at again within the write: the event may have been redacted or deleted since it was read.
const IS_SHOWN = `
     WHERE EXISTS (SELECT 1 FROM events e
                    WHERE e.event_nid = :eventNid AND e.stream_ordering IS NOT NULL AND e.redacted_by IS NULL)`;

export const insertWords = defineQuery<
  OfEvent & {
    readonly room: string;
    readonly body: string | null;
    readonly name: string | null;
    readonly topic: string | null;
  }
>({
  name: 'search.insert-words',
  sql: `
    INSERT INTO search_words (rowid, room, body, name, topic)
    SELECT :eventNid, :room, :body, :name, :topic ${IS_SHOWN}
       AND NOT EXISTS (SELECT 1 FROM search_entries s WHERE s.event_nid = :eventNid)`,
});

export const insertEntry = defineQuery<OfEvent & OfRoom>({
  name: 'search.insert-entry',
  sql: `INSERT OR IGNORE INTO search_entries (event_nid, room_nid) SELECT :eventNid, :roomNid ${IS_SHOWN}`,
});

export const insertRoom = defineQuery<OfRoom & { readonly roomId: string }>({
  name: 'search.insert-room',
  sql: `
    INSERT OR IGNORE INTO search_rooms (room_id, room_nid)
    SELECT room_id, room_nid FROM rooms WHERE room_id = :roomId AND room_nid = :roomNid`,
});

const LISTED = '(SELECT value FROM json_each(:eventNids))';

export const deleteWords = defineQuery<{ readonly eventNids: string }>({
  name: 'search.delete-words',
  // A row that is not there has no words, and its deletion would spoil the index.
  sql: `
    DELETE FROM search_words
     WHERE rowid IN (SELECT s.event_nid FROM search_entries s WHERE s.event_nid IN ${LISTED})`,
});

export const deleteEntries = defineQuery<{ readonly eventNids: string }>({
  name: 'search.delete-entries',
  sql: `DELETE FROM search_entries WHERE event_nid IN ${LISTED}`,
});

export const deleteRoom = defineQuery<{ readonly roomId: string }>({
  name: 'search.delete-room',
  sql: 'DELETE FROM search_rooms WHERE room_id = :roomId',
});

export const setProgress = defineQuery<{ readonly indexedUpTo: number }>({
  name: 'search.set-progress',
  sql: 'UPDATE search_progress SET indexed_up_to = :indexedUpTo WHERE only_row = 1',
});

/** The steps that put an event into the index, if it is not there. */
export function indexEvent({ eventNid, roomNid, body, name, topic }: SearchText): WriteStep[] {
  return [
    step(insertWords, { eventNid, room: roomWord(roomNid), body, name, topic }),
    step(insertEntry, { eventNid, roomNid }),
  ];
}

/** The step that remembers a room of which something is indexed. */
export function noteRoom(roomNid: number, roomId: string): WriteStep {
  return step(insertRoom, { roomNid, roomId });
}

/** The steps that take events out of the index, if they are in it. */
export function forgetEvents(events: readonly number[]): WriteStep[] {
  if (events.length === 0) return [];
  const eventNids = JSON.stringify(events);
  return [step(deleteWords, { eventNids }), step(deleteEntries, { eventNids })];
}

/** The step that forgets a room of which nothing is indexed any more. */
export function forgetRoom(roomId: string): WriteStep {
  return step(deleteRoom, { roomId });
}

/** The step that notes up to which position of the events stream everything is indexed. */
export function noteProgress(indexedUpTo: number): WriteStep {
  return step(setProgress, { indexedUpTo });
}
