import type { Clock, Timer } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import type { ActorInstance, MailboxOptions, Order } from './actor.ts';
import type { ActorFigures } from './actor-figures.ts';
import type { Mailbox, Message } from './mailbox.ts';
import type { MailboxCells } from './mailbox-cells.ts';
import { releasePlace, setOldest, setOpen } from './mailbox-cells.ts';
import type { Protocol } from './protocol.ts';
import type { ThreadReport } from './thread-control.ts';
import type { Turn } from './turn.ts';

/** One incarnation, as what it is given sees it. */
export interface Life {
  readonly incarnation: number;
  readonly controller: AbortController;
  /** From then on it can neither send nor answer. */
  isEnded: boolean;
  crash(error: unknown): void;
}

/** One incarnation, as its cell sees it. */
export interface RunningLife extends Life {
  /** Null until it has started. */
  instance: ActorInstance<Protocol> | null;
  /** Messages that have begun and whose answers are awaited. */
  readonly open: Set<Message>;
}

/** What a cell needs of its thread. */
export interface CellHost {
  /** Number of the actor in the directory, and its slot in `cells`. */
  readonly actor: number;
  readonly slot: number;
  readonly mailbox: MailboxOptions;
  readonly order: Order<Protocol>;
  readonly cells: MailboxCells;
  readonly clock: Clock;
  readonly log: Logger;
  readonly figures: ActorFigures;
  readonly turn: Turn;
  report(report: ThreadReport): void;
  /** Starts an incarnation. */
  start(life: Life): ActorInstance<Protocol> | Promise<ActorInstance<Protocol>>;
}

/** The state of an actor on its thread. */
export interface CellState {
  readonly host: CellHost;
  readonly mailbox: Mailbox;
  life: RunningLife | null;
  /** Not null when it works off what waits, to stop then. */
  stopping: { readonly timer: Timer; isClosing: boolean } | null;
  isStopped: boolean;
  isScheduled: boolean;
  /** Messages that have begun and are not answered. */
  open: number;
  /** Begins what may begin. */
  readonly work: () => void;
}

export function changeOpen(cell: CellState, open: number): void {
  cell.open = open;
  setOpen(cell.host.cells, cell.host.slot, open);
}

/** A message that was taken out of the mailbox waits no longer. */
export function leaveMailbox(cell: CellState): void {
  const { cells, slot } = cell.host;
  setOldest(cells, slot, cell.mailbox.oldest?.sentAt ?? Number.NaN);
  releasePlace(cells, slot);
}

/** Has the cell look at its mailbox soon. */
export function schedule(cell: CellState): void {
  if (cell.isScheduled) return;
  cell.isScheduled = true;
  cell.host.turn.schedule(cell.work);
}
