import type { Clock, Milliseconds, Timer } from '../../src/kit/clock.ts';
import type { AskFailureReason } from './ref.ts';
import { AskFailed } from './ref.ts';

/** Who takes the answer of an ask: the table of its own thread, or the link to another. */
export interface AnswerTo {
  answer(askId: number, output: unknown): void;
  fail(askId: number, reason: AskFailureReason, detail: string): void;
}

/** The asks of one thread that are not answered yet. */
export interface AskTable extends AnswerTo {
  /** Asks that are not answered yet. */
  readonly size: number;
  /**
   * Enters an ask.
   *
   * @param thread number of the thread that is asked
   * @returns its id, under which the answer comes
   */
  open(ask: NewAsk): number;
  /** Fails every ask to a thread as stopped. */
  failThread(thread: number, detail: string): void;
  /** Fails every ask as stopped. */
  failAll(detail: string): void;
}

/** An ask that is to be entered. */
export interface NewAsk {
  readonly actor: string;
  readonly message: string;
  readonly thread: number;
  readonly deadlineMs: Milliseconds;
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: AskFailed) => void;
}

interface PendingAsk extends NewAsk {
  readonly id: number;
  readonly dueAt: Milliseconds;
  readonly lane: DeadlineLane;
  previous: PendingAsk | null;
  next: PendingAsk | null;
}

/** The pending asks of one deadline length: the order of asking is the order of falling due, so only the first need be looked at. */
interface DeadlineLane {
  first: PendingAsk | null;
  last: PendingAsk | null;
}

/** Ids go round below this, within the small integers of the engine. */
const ASK_ID_END = 2 ** 30;
/** The longest sleep of the one timer: timers of the platform end at 2^31 ms. */
const SLEEP_MS_MAX = 2 ** 30;

function append(lane: DeadlineLane, ask: PendingAsk): void {
  ask.previous = lane.last;
  if (lane.last === null) lane.first = ask;
  else lane.last.next = ask;
  lane.last = ask;
}

function unlink(ask: PendingAsk): void {
  const { lane, previous, next } = ask;
  if (previous === null) lane.first = next;
  else previous.next = next;
  if (next === null) lane.last = previous;
  else next.previous = previous;
}

/**
 * Makes an empty table. One timer serves all asks: it is set to the earliest deadline, and since nearly all asks are answered long
 * before, it rarely fires and costs nothing per ask.
 */
export function createAskTable(clock: Clock): AskTable {
  const pending = new Map<number, PendingAsk>();
  const lanes = new Map<Milliseconds, DeadlineLane>();
  let lastId = 0;
  let timer: Timer | null = null;
  let timerAt = Infinity;

  const settle = (id: number): PendingAsk | undefined => {
    const ask = pending.get(id);
    if (ask === undefined) return undefined;
    pending.delete(id);
    unlink(ask);
    return ask;
  };
  const fail = (id: number, reason: AskFailureReason, detail?: string): void => {
    const ask = settle(id);
    ask?.reject(new AskFailed(reason, ask.actor, ask.message, detail));
  };
  const wakeAt = (dueAt: Milliseconds): void => {
    if (dueAt >= timerAt) return;
    if (timer !== null) clock.cancel(timer);
    timerAt = dueAt;
    const sleepMs = Math.max(0, Math.ceil(dueAt - clock.monotonic()));
    timer = clock.after(Math.min(SLEEP_MS_MAX, sleepMs), expire);
  };
  const expire = (): void => {
    timer = null;
    timerAt = Infinity;
    const now = clock.monotonic();
    let earliest = Infinity;
    for (const [length, lane] of lanes) {
      while (lane.first !== null && lane.first.dueAt <= now)
        fail(lane.first.id, 'timed-out', `after ${length} ms`);
      if (lane.first === null) lanes.delete(length);
      else earliest = Math.min(earliest, lane.first.dueAt);
    }
    wakeAt(earliest);
  };
  const nextId = (): number => {
    do lastId = (lastId + 1) % ASK_ID_END;
    while (lastId === 0 || pending.has(lastId));
    return lastId;
  };

  return {
    get size() {
      return pending.size;
    },
    open(ask) {
      let lane = lanes.get(ask.deadlineMs);
      if (lane === undefined) lanes.set(ask.deadlineMs, (lane = { first: null, last: null }));
      const dueAt = clock.monotonic() + ask.deadlineMs;
      const entry: PendingAsk = { ...ask, id: nextId(), dueAt, lane, previous: null, next: null };
      pending.set(entry.id, entry);
      append(lane, entry);
      wakeAt(dueAt);
      return entry.id;
    },
    answer: (id, output) => settle(id)?.resolve(output),
    fail,
    failThread(thread, detail) {
      for (const ask of pending.values()) if (ask.thread === thread) fail(ask.id, 'stopped', detail);
    },
    failAll(detail) {
      for (const id of pending.keys()) fail(id, 'stopped', detail);
    },
  };
}
