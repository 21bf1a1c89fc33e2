import { createBoundedQueue } from '../../src/kit/bounded-queue.ts';
import type { Milliseconds } from '../../src/kit/clock.ts';
import type { Order } from './actor.ts';
import type { AnswerTo } from './ask-table.ts';
import type { Protocol } from './protocol.ts';

/** A message in or from a mailbox. */
export interface Message {
  readonly name: string;
  readonly input: unknown;
  /** Who takes the answer; null for a tell. */
  readonly answerTo: AnswerTo | null;
  readonly askId: number;
  readonly sentAt: Milliseconds;
  begunAt: Milliseconds;
  lane: Lane | null;
  /** What the key function threw at this message: beginning it is a crash. */
  keyError: unknown;
  previous: Message | null;
  next: Message | null;
}

/** The messages of one key. */
interface Lane {
  readonly key: string | null;
  readonly waiting: Set<Message>;
  isBusy: boolean;
  /** Messages of this key that have begun since the others last had their turn. */
  begun: number;
}

/** In which order waiting messages begin. */
interface Sequence {
  add(message: Message): void;
  /** Gives the message that may begin now. */
  next(): Message | undefined;
  /** The turn of a message has ended. */
  ended(message: Message): void;
  /** No message that has begun counts any more. */
  reset(): void;
}

/** The messages that wait for one actor on its thread; it outlives the incarnations of the actor. */
export interface Mailbox {
  readonly size: number;
  /** The message that waits longest. */
  readonly oldest: Message | null;
  add(message: Message): void;
  /** Takes out the message that may begin now. */
  take(): Message | undefined;
  ended(message: Message): void;
  /** Takes out the tell that waits longest. */
  takeOldestTell(): Message | undefined;
  /** An incarnation has ended: the turns of its messages have, too. */
  reset(): void;
}

/** There are no more lanes than messages, and those are bounded where the places are given out. */
const LANES_MAX = 2 ** 20;

/** A message as it arrives. */
export function createMessage(
  name: string,
  input: unknown,
  answerTo: AnswerTo | null,
  askId: number,
  sentAt: Milliseconds,
): Message {
  return {
    name,
    input,
    answerTo,
    askId,
    sentAt,
    begunAt: 0,
    lane: null,
    keyError: undefined,
    previous: null,
    next: null,
  };
}

function createByKeySequence(order: Extract<Order<Protocol>, { kind: 'by-key' }>): Sequence {
  const lanes = new Map<string, Lane>();
  const ready = createBoundedQueue<Lane>(LANES_MAX);

  const keyOf = (message: Message): string | null => {
    try {
      return order.key(message.name, message.input);
    } catch (error) {
      // Not a refusal: whoever begins this message crashes with it, as if its handler had thrown.
      message.keyError = error ?? new Error('the key function threw');
      return null;
    }
  };
  const laneFor = (key: string | null): Lane => {
    const known = key === null ? undefined : lanes.get(key);
    if (known !== undefined) return known;
    const lane: Lane = { key, waiting: new Set(), isBusy: false, begun: 0 };
    if (key !== null) lanes.set(key, lane);
    return lane;
  };
  const release = (lane: Lane): void => {
    lane.isBusy = false;
    if (lane.waiting.size === 0) {
      if (lane.key !== null) lanes.delete(lane.key);
    } else if (lane.begun < order.turnBudget) {
      ready.unshift(lane);
    } else {
      lane.begun = 0;
      ready.push(lane);
    }
  };

  return {
    add(message) {
      const lane = laneFor(keyOf(message));
      message.lane = lane;
      lane.waiting.add(message);
      if (!lane.isBusy && lane.waiting.size === 1) ready.push(lane);
    },
    next() {
      for (let lane = ready.shift(); lane !== undefined; lane = ready.shift()) {
        const [message] = lane.waiting;
        if (message === undefined) release(lane);
        else {
          lane.waiting.delete(message);
          lane.isBusy = true;
          lane.begun += 1;
          return message;
        }
      }
      return undefined;
    },
    ended: ({ lane }) => lane !== null && release(lane),
    reset() {
      for (const lane of lanes.values()) if (lane.isBusy) release(lane);
    },
  };
}

function createPlainSequence(isSerial: boolean, oldest: () => Message | null): Sequence {
  let isBusy = false;
  return {
    add: () => undefined,
    next() {
      const message = oldest();
      if (isBusy || message === null) return undefined;
      isBusy = isSerial;
      return message;
    },
    ended() {
      isBusy = false;
    },
    reset() {
      isBusy = false;
    },
  };
}

/** Makes an empty mailbox. Its bound is kept by whoever gives out the places (`reservePlace`). */
export function createMailbox(order: Order<Protocol>): Mailbox {
  let first: Message | null = null;
  let last: Message | null = null;
  let size = 0;
  const sequence =
    order.kind === 'by-key'
      ? createByKeySequence(order)
      : createPlainSequence(order.kind === 'serial', () => first);

  const remove = (message: Message): Message => {
    const { previous, next } = message;
    if (previous === null) first = next;
    else previous.next = next;
    if (next === null) last = previous;
    else next.previous = previous;
    message.previous = null;
    message.next = null;
    message.lane?.waiting.delete(message);
    size -= 1;
    return message;
  };

  return {
    get size() {
      return size;
    },
    get oldest() {
      return first;
    },
    add(message) {
      message.previous = last;
      if (last === null) first = message;
      else last.next = message;
      last = message;
      size += 1;
      sequence.add(message);
    },
    take() {
      const message = sequence.next();
      return message === undefined ? undefined : remove(message);
    },
    ended: (message) => sequence.ended(message),
    takeOldestTell() {
      for (let message = first; message !== null; message = message.next)
        if (message.answerTo === null) return remove(message);
      return undefined;
    },
    reset: () => sequence.reset(),
  };
}
