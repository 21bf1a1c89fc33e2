import { Later } from './actor.ts';
import type { CellState, RunningLife } from './actor-cell-state.ts';
import { changeOpen, leaveMailbox, schedule } from './actor-cell-state.ts';
import { crash, finishStop } from './actor-life.ts';
import type { Message } from './mailbox.ts';
import { depthOf } from './mailbox-cells.ts';

type Handler = (input: unknown) => unknown;

/** Handlers before their protocol is known. */
type AnyHandlers = Readonly<Record<string, Handler>>;

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

function answer(cell: CellState, message: Message, output: unknown): void {
  const { figures, clock } = cell.host;
  figures.message(message.name).record(clock.monotonic() - message.begunAt);
  figures.handled.add();
  message.answerTo?.answer(message.askId, output);
}

/**
 * The answer comes when the promise settles; what settles after its incarnation has ended counts no more.
 *
 * @param endsTurn the turn of the handler lasts until then
 */
async function awaitAnswer(
  cell: CellState,
  own: RunningLife,
  message: Message,
  result: PromiseLike<unknown>,
  endsTurn: boolean,
): Promise<void> {
  own.open.add(message);
  try {
    let output = await result;
    if (own.isEnded) return void ignoreResult(output);
    if (endsTurn) cell.mailbox.ended(message);
    if (output instanceof Later) {
      // The turn has ended with the promise; only the answer is still to come.
      schedule(cell);
      output = await output.answer;
      if (own.isEnded) return;
    }
    own.open.delete(message);
    changeOpen(cell, cell.open - 1);
    answer(cell, message, output);
    schedule(cell);
  } catch (error) {
    crash(cell, own, error, message);
  }
}

/** Nobody waits for this result any more; what it does must not become an unhandled rejection. */
async function ignoreResult(result: unknown): Promise<void> {
  try {
    await (result instanceof Later ? result.answer : result);
  } catch {
    // Its incarnation has ended: it can do no more harm, and its crash has been reported.
  }
}

function callHandler(handlers: AnyHandlers, message: Message): unknown {
  if (message.keyError !== undefined) throw message.keyError;
  const handler = handlers[message.name];
  if (handler === undefined) throw new Error(`no handler for ${message.name}`);
  return handler(message.input);
}

function begin(cell: CellState, own: RunningLife, handlers: AnyHandlers, message: Message): void {
  message.begunAt = cell.host.clock.monotonic();
  leaveMailbox(cell);
  cell.host.figures.waited.record(message.begunAt - message.sentAt);
  changeOpen(cell, cell.open + 1);
  let result: unknown;
  try {
    result = callHandler(handlers, message);
  } catch (error) {
    crash(cell, own, error, message);
  }
  if (own.isEnded) {
    // It threw, or called `crash`.
    message.answerTo?.fail(message.askId, 'stopped', 'crashed');
    void ignoreResult(result);
  } else if (result instanceof Later) {
    cell.mailbox.ended(message);
    void awaitAnswer(cell, own, message, result.answer, false);
  } else if (isThenable(result)) {
    void awaitAnswer(cell, own, message, result, true);
  } else {
    cell.mailbox.ended(message);
    changeOpen(cell, cell.open - 1);
    answer(cell, message, result);
  }
}

async function close(cell: CellState, own: RunningLife): Promise<void> {
  try {
    await own.instance?.stop?.();
    finishStop(cell);
  } catch (error) {
    crash(cell, own, error, null);
  }
}

function closeWhenDrained(cell: CellState, own: RunningLife): void {
  const { stopping, host } = cell;
  if (stopping === null || stopping.isClosing || cell.open > 0 || depthOf(host.cells, host.slot) > 0) return;
  stopping.isClosing = true;
  void close(cell, own);
}

/** Begins what may begin. No more messages are open at one time than may wait. */
export function work(cell: CellState): void {
  cell.isScheduled = false;
  const own = cell.life;
  const handlers = own?.instance?.handlers as AnyHandlers | undefined;
  if (own === null || handlers === undefined) return;
  const openMax = cell.host.mailbox.limit;
  while (!own.isEnded && cell.open < openMax) {
    const message = cell.mailbox.take();
    if (message === undefined) break;
    begin(cell, own, handlers, message);
    if (!cell.host.turn.spend()) {
      schedule(cell);
      return;
    }
  }
  if (!own.isEnded) closeWhenDrained(cell, own);
}
