import type { OutputOf } from '../../../actors/kit/protocol.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import type { ThreadCaches } from '../../../src/streams/cache.ts';
import { createThreadCaches } from '../../../src/streams/cache-store.ts';
import type { StreamOwnerProtocol } from '../../../src/streams/message.ts';
import { createNotifier, type Notifier } from '../../../src/streams/notifier.ts';
import type { Stream, StreamRow } from '../../../src/streams/stream.ts';
import type { ApplyStep } from '../../../src/streams/stream-view.ts';
import { createThreadViews } from '../../../src/streams/thread-views.ts';
import type { ThreadViews } from '../../../src/streams/view.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createFigures, type Figures } from './figures.ts';
import {
  createNoteLog,
  factsOfNote,
  type MoodRow,
  moodStream,
  type NoteLog,
  type NoteRow,
  parcelStream,
} from './stream-doubles.ts';

type Read = StreamOwnerProtocol['stream.read']['input'];

/** The views of a thread with a durable stream (notes), an in-memory one (moods) and one kept until acknowledged (parcels). */
export interface ViewHarness {
  readonly views: ThreadViews;
  readonly caches: ThreadCaches;
  readonly log: NoteLog;
  readonly clock: FakeClock;
  readonly figures: Figures;
  /** What the owner of moods was asked. */
  readonly asked: Read[];
  /** What it answers. */
  answer: (request: Read) => Promise<OutputOf<StreamOwnerProtocol, 'stream.read'>>;
  /** POSITION of notes. */
  position(prev: number, position?: number): void;
  /** ROWS of notes: the committed rows in (prev, position]. */
  rows(prev: number, position: number): void;
  moodPosition(epoch: number, prev: number, position?: number): void;
  moodRows(epoch: number, prev: number, rows: readonly StreamRow<MoodRow>[]): void;
  token(): number;
  state(stream?: string): string | undefined;
  drops(reason: string, stream?: string): number;
}

export interface HarnessOptions {
  readonly applyOrder?: readonly ApplyStep[];
  /** Instead of the streams of the harness. */
  readonly streams?: (log: NoteLog) => readonly Stream[];
  /** Around the caches, to look at what reaches them. */
  readonly wrapCaches?: (caches: ThreadCaches) => ThreadCaches;
  /** Around the notifier. */
  readonly wrapNotifier?: (notifier: Notifier) => Notifier;
  readonly subscriber?: string;
}

export function createViewHarness(options: HarnessOptions = {}): ViewHarness {
  const log = createNoteLog();
  const clock = createFakeClock();
  const figures = createFigures();
  const made = createThreadCaches({ db: log.db, metrics: figures.metrics });
  const caches = options.wrapCaches?.(made) ?? made;
  const notifier = createNotifier(clock, figures.metrics);
  const views = createThreadViews({
    notifier: options.wrapNotifier?.(notifier) ?? notifier,
    subscriber: options.subscriber ?? 'views@a',
    db: log.db,
    caches,
    clock,
    metrics: figures.metrics,
    log: silentLogger,
    streams: options.streams?.(log) ?? [log.stream, moodStream, parcelStream],
    ...(options.applyOrder === undefined ? {} : { applyOrder: options.applyOrder }),
  });
  const notes = { stream: 'notes', owner: 'note-keeper', epoch: 0 };
  const moods = { stream: 'moods', owner: 'mood-keeper' };
  const harness: ViewHarness = {
    views,
    caches,
    log,
    clock,
    figures,
    asked: [],
    answer: ({ epoch, to }) => Promise.resolve({ epoch, rows: [], to }),
    position: (prev, position = prev) => views.receivePosition({ ...notes, prev, position }),
    rows(prev, position) {
      const rows = log.rows.filter((row) => row.position > prev && row.position <= position);
      const invalidations = rows.flatMap(({ row }: StreamRow<NoteRow>) => factsOfNote(row));
      views.receiveRows({ ...notes, prev, position, rows, invalidations });
    },
    moodPosition: (epoch, prev, position = prev) =>
      views.receivePosition({ ...moods, epoch, prev, position }),
    moodRows(epoch, prev, rows) {
      const position = rows[rows.length - 1]?.position ?? prev;
      views.receiveRows({ ...moods, epoch, prev, position, rows, invalidations: [] });
    },
    token: () => views.currentToken('notes'),
    state: (stream = 'notes') => figures.read().texts.get(`stream.${stream}.state`),
    drops: (reason, stream = 'notes') => figures.counter(`stream.${stream}.drops.${reason}`),
  };
  views.connect({
    read(_owner, request) {
      harness.asked.push(request);
      return harness.answer(request);
    },
  });
  return harness;
}

const POLL_MS = 30_000;

/** Which of `rooms` a poll parked under it saw woken by what `work` does, in order. */
export async function wokenBy(
  { views, clock }: ViewHarness,
  rooms: readonly string[],
  work: () => Promise<void> | void,
): Promise<string[]> {
  const woken: string[] = [];
  const polls = rooms.map((roomId) => {
    const poll = views.park([`room:${roomId}`], views.now(), POLL_MS);
    void poll.outcome.then((outcome) => (outcome === 'woken' ? woken.push(roomId) : 0));
    return poll;
  });
  await work();
  await clock.settle();
  for (const poll of polls) poll.cancel();
  return woken;
}
