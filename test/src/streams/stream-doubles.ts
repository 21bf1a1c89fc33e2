import type { TellOutcome } from '../../../actors/kit/ref.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { readPage } from '../../../db/kit/page.ts';
import type { Fact } from '../../../src/streams/fact.ts';
import type { StreamPosition, StreamRows } from '../../../src/streams/message.ts';
import type { OwnerTransport } from '../../../src/streams/publisher.ts';
import {
  defineDurableStream,
  defineMemoryStream,
  type DurableStream,
  type MemoryStream,
  type StreamRow,
} from '../../../src/streams/stream.ts';

/** A row that says whom it wakes and which profile it makes untrue. */
export type NoteRow = { readonly roomId: string; readonly text: string };

/** The committed rows of a durable stream, where a database would have them. */
export interface NoteLog {
  readonly stream: DurableStream<'notes', NoteRow>;
  readonly rows: StreamRow<NoteRow>[];
  /** Pages that were read: from, to, and how many rows came. */
  readonly reads: { readonly from: number; readonly to: number; readonly rows: number }[];
  /** What `db.get` of the stream's start says. */
  mark: number;
  /** When set, reading throws it. */
  failure: Error | null;
  /** When set, the rows before it are gone. */
  goneBefore: number;
  /** When set, a read waits for it before it looks. */
  gate: Promise<void> | null;
  readonly db: ReadDb;
  /** Commits rows, one per position. */
  commit(...roomIds: string[]): void;
}

export function noteRow(roomId: string, text = 'text'): NoteRow {
  return { roomId, text };
}

export function factsOfNote(row: NoteRow): readonly Fact[] {
  return [{ fact: 'profile', userId: row.roomId }];
}

export function createNoteLog(): NoteLog {
  const stream = defineDurableStream<'notes', NoteRow>({
    name: 'notes',
    letter: 'n',
    owner: 'note-keeper',
    tables: [],
    async read(_db, from, to, limit) {
      await (log.gate ?? Promise.resolve());
      if (log.failure !== null) throw log.failure;
      if (from < log.goneBefore) return 'gone';
      const page = await readPage(
        (after, upTo, most) =>
          Promise.resolve(
            log.rows.filter(({ position }) => position > after && position <= upTo).slice(0, most),
          ),
        from,
        to,
        limit,
      );
      log.reads.push({ from, to, rows: page.rows.length });
      return page;
    },
    wakes: (row) => [`room:${row.roomId}`],
    invalidates: factsOfNote,
  });
  const log: NoteLog = {
    stream,
    rows: [],
    reads: [],
    mark: 0,
    failure: null,
    goneBefore: 0,
    gate: null,
    db: {
      all: () => Promise.resolve([]),
      find: () => Promise.resolve(undefined),
      get: <R>() => Promise.resolve({ forward: log.mark, backward: 0 } as R),
      snapshot: (work) => work(log.db),
    },
    commit(...roomIds) {
      for (const roomId of roomIds) {
        log.mark += 1;
        log.rows.push({ position: log.mark, row: noteRow(roomId) });
      }
    },
  };
  return log;
}

/** An in-memory stream: the mood of a room. */
export type MoodRow = { readonly roomId: string; readonly mood: string };

export const moodStream: MemoryStream<'moods', MoodRow> = defineMemoryStream<'moods', MoodRow>({
  name: 'moods',
  letter: 'm',
  owner: 'mood-keeper',
  key: (row) => row.roomId,
  wakes: (row) => [`room:${row.roomId}`],
  invalidates: () => [],
});

/** An in-memory stream that is kept until acknowledged. A parcel without a name stands for itself. */
export type ParcelRow = { readonly destination: string; readonly name: string | null };

export const parcelStream: MemoryStream<'parcels', ParcelRow> = defineMemoryStream<'parcels', ParcelRow>({
  name: 'parcels',
  letter: null,
  owner: 'post-office',
  retention: 'until-acknowledged',
  key: (row) => (row.name === null ? null : `${row.destination} ${row.name}`),
  wakes: () => [],
  invalidates: () => [],
});

/** What a subscriber was told, in order. */
export type Told =
  | ({ readonly kind: 'rows'; readonly subscriber: string } & StreamRows)
  | ({ readonly kind: 'position'; readonly subscriber: string } & StreamPosition);

/** A transport that writes down what it carries. */
export interface RecordedTransport extends OwnerTransport {
  readonly told: Told[];
  /** What the next tells to a subscriber give; `sent` when not set. */
  readonly outcomes: Map<string, TellOutcome>;
  /** What is told from now on goes to this as well. */
  deliver: ((message: Told) => void) | null;
}

export function createRecordedTransport(): RecordedTransport {
  const tell = (message: Told): TellOutcome => {
    const outcome = transport.outcomes.get(message.subscriber) ?? 'sent';
    if (outcome !== 'sent') return outcome;
    transport.told.push(message);
    transport.deliver?.(message);
    return outcome;
  };
  const transport: RecordedTransport = {
    told: [],
    outcomes: new Map(),
    deliver: null,
    tellRows: (subscriber, message) => tell({ kind: 'rows', subscriber, ...message }),
    tellPosition: (subscriber, message) => tell({ kind: 'position', subscriber, ...message }),
  };
  return transport;
}
