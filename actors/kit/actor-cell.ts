import type { CellHost, CellState } from './actor-cell-state.ts';
import { leaveMailbox, schedule } from './actor-cell-state.ts';
import { endLife, failWaiting, finishStop, leaveLife, startLife } from './actor-life.ts';
import { work } from './actor-work.ts';
import type { Message } from './mailbox.ts';
import { createMailbox } from './mailbox.ts';
import { depthOf, setMailboxOptions, setOldest, setState } from './mailbox-cells.ts';

/** An actor on its thread: its mailbox, and the incarnation that lives at present, if one does. */
export interface ActorCell {
  /** Takes a message for which its sender has taken a place. */
  arrive(message: Message): void;
  start(incarnation: number): void;
  /** Ends the present incarnation as a crash would; what waits stays waiting. */
  end(reason: string): void;
  /** Works off what waits, and stops. */
  stop(deadlineMs: number): void;
  /** Gives back the places of messages that will never arrive: their sender's thread has died. */
  lost(messages: number): void;
  /** Ends everything at once, without a word to the supervisor: the thread ends. */
  halt(): void;
}

/** A mailbox over its limit loses the tell that waits longest. */
function makeRoom(cell: CellState): void {
  if (cell.mailbox.takeOldestTell() === undefined) return;
  leaveMailbox(cell);
  cell.host.figures.dropped.add();
}

function arrive(cell: CellState, message: Message): void {
  const { mailbox } = cell.host;
  if (cell.isStopped) {
    leaveMailbox(cell);
    message.answerTo?.fail(message.askId, 'stopped', 'the actor has stopped');
    return;
  }
  cell.mailbox.add(message);
  if (cell.mailbox.size === 1) setOldest(cell.host.cells, cell.host.slot, message.sentAt);
  if (cell.mailbox.size > mailbox.limit && mailbox.whenFull === 'drop-oldest') makeRoom(cell);
  schedule(cell);
}

function stop(cell: CellState, deadlineMs: number): void {
  const { host } = cell;
  if (cell.isStopped || cell.stopping !== null) return;
  const timer = host.clock.after(deadlineMs, () => {
    const waiting = depthOf(host.cells, host.slot);
    host.log.warn('an actor did not stop in time', { deadlineMs, waiting, open: cell.open });
    finishStop(cell);
  });
  cell.stopping = { timer, isClosing: false };
  setState(host.cells, host.slot, 'stopping');
  if (cell.life === null) finishStop(cell);
  else schedule(cell);
}

function halt(cell: CellState): void {
  if (cell.isStopped) return;
  cell.isStopped = true;
  if (cell.stopping !== null) cell.host.clock.cancel(cell.stopping.timer);
  if (cell.life !== null) leaveLife(cell, cell.life, 'its thread ended');
  failWaiting(cell, 'its thread ended');
}

/** Makes the cell of an actor that has not started yet. */
export function createActorCell(host: CellHost): ActorCell {
  const cell: CellState = {
    host,
    mailbox: createMailbox(host.order),
    life: null,
    stopping: null,
    isStopped: false,
    isScheduled: false,
    open: 0,
    work: () => work(cell),
  };
  setMailboxOptions(host.cells, host.slot, host.mailbox);
  return {
    arrive: (message) => arrive(cell, message),
    start: (incarnation) => startLife(cell, incarnation),
    end(reason) {
      if (cell.life !== null) endLife(cell, cell.life, reason, reason);
    },
    stop: (deadlineMs) => stop(cell, deadlineMs),
    lost(messages) {
      for (let message = 0; message < messages; message += 1) leaveMailbox(cell);
      // It may have been waiting for them to stop.
      schedule(cell);
    },
    halt: () => halt(cell),
  };
}
