import type { ActorInstance } from './actor.ts';
import type { CellState, RunningLife } from './actor-cell-state.ts';
import { changeOpen, leaveMailbox, schedule } from './actor-cell-state.ts';
import { describeInput } from './describe-input.ts';
import type { Message } from './mailbox.ts';
import { setIncarnation, setState } from './mailbox-cells.ts';
import type { Protocol } from './protocol.ts';

/** An error in one line, for reports and figures. */
function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : describeInput(error);
}

/** What has begun is answered as stopped, and what the incarnation still does counts no more. */
export function leaveLife(cell: CellState, ended: RunningLife, detail: string): void {
  cell.life = null;
  ended.isEnded = true;
  cell.mailbox.reset();
  for (const message of ended.open) message.answerTo?.fail(message.askId, 'stopped', detail);
  ended.open.clear();
  changeOpen(cell, 0);
  ended.controller.abort();
}

/** There will be no other incarnation: what waits is answered as stopped. */
export function failWaiting(cell: CellState, detail: string): void {
  for (let message = cell.mailbox.take(); message !== undefined; message = cell.mailbox.take()) {
    leaveMailbox(cell);
    message.answerTo?.fail(message.askId, 'stopped', detail);
    cell.mailbox.ended(message);
  }
}

/** The actor has stopped for good. */
export function finishStop(cell: CellState): void {
  if (cell.isStopped) return;
  const { host } = cell;
  cell.isStopped = true;
  if (cell.stopping !== null) host.clock.cancel(cell.stopping.timer);
  setState(host.cells, host.slot, 'stopped');
  if (cell.life !== null) leaveLife(cell, cell.life, 'the actor has stopped');
  failWaiting(cell, 'the actor has stopped');
  host.report({ kind: 'stopped', actor: host.actor });
}

/** Ends an incarnation: the supervisor decides what comes next, and what waits stays waiting for it. */
export function endLife(cell: CellState, ended: RunningLife, detail: string, error: string): void {
  const { host } = cell;
  leaveLife(cell, ended, detail);
  setState(host.cells, host.slot, 'crashed');
  host.report({ kind: 'crashed', actor: host.actor, incarnation: ended.incarnation, error });
  if (cell.stopping !== null) finishStop(cell);
}

/**
 * A defect ends an incarnation.
 *
 * @param culprit the message whose handler failed, if one did; its input is logged, cut short
 */
export function crash(cell: CellState, own: RunningLife, error: unknown, culprit: Message | null): void {
  if (own.isEnded) return;
  const { log, figures } = cell.host;
  const input = culprit === null ? {} : { messageName: culprit.name, input: describeInput(culprit.input) };
  log.error('an actor crashed', { incarnation: own.incarnation, error, ...input });
  figures.failed.add();
  figures.lastError.set(describeError(error));
  endLife(cell, own, 'crashed', describeError(error));
}

async function awaitStart(cell: CellState, own: RunningLife): Promise<void> {
  const { host } = cell;
  let instance: ActorInstance<Protocol>;
  try {
    instance = await host.start(own);
  } catch (error) {
    crash(cell, own, error, null);
    return;
  }
  if (own.isEnded) return;
  own.instance = instance;
  setState(host.cells, host.slot, cell.stopping === null ? 'running' : 'stopping');
  host.report({ kind: 'started', actor: host.actor, incarnation: own.incarnation });
  schedule(cell);
}

/** Starts an incarnation. Messages wait until it has started; a start that throws is a crash. */
export function startLife(cell: CellState, incarnation: number): void {
  const { host } = cell;
  if (cell.isStopped || cell.life !== null) return;
  const own: RunningLife = {
    incarnation,
    controller: new AbortController(),
    isEnded: false,
    instance: null,
    open: new Set(),
    crash: (error) => crash(cell, own, error, null),
  };
  cell.life = own;
  setIncarnation(host.cells, host.slot, incarnation);
  setState(host.cells, host.slot, 'starting');
  void awaitStart(cell, own);
}
