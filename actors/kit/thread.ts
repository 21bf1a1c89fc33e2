import type { Clock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import type { Random } from '../../src/kit/random.ts';
import type { ActorContext, AnyActorDefinition } from './actor.ts';
import type { ActorCell } from './actor-cell.ts';
import { createActorCell } from './actor-cell.ts';
import type { Life } from './actor-cell-state.ts';
import { createActorFigures } from './actor-figures.ts';
import type { AskTable } from './ask-table.ts';
import { createAskTable } from './ask-table.ts';
import type { LifeWatch } from './life-watch.ts';
import { createLifeWatch } from './life-watch.ts';
import type { Link, LinkEnd } from './link.ts';
import { createMessage } from './mailbox.ts';
import type { MailboxCells } from './mailbox-cells.ts';
import { openMailboxCells } from './mailbox-cells.ts';
import type { Peer, PeerHost } from './peers.ts';
import { createPeer } from './peers.ts';
import type { Protocol } from './protocol.ts';
import type { ActorLifeEvent, ActorRef } from './ref.ts';
import type { RefHost } from './refs.ts';
import { createRefs } from './refs.ts';
import type { Scheduler } from './scheduler.ts';
import type { ThreadBoot, ThreadCommand, ThreadReport } from './thread-control.ts';
import type { Turn } from './turn.ts';
import { createTurn } from './turn.ts';

/** Everything a thread works with. The kit uses no other source of time, chance or turns. */
export interface ThreadOptions<Map, Env> {
  readonly boot: ThreadBoot;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly scheduler: Scheduler;
  readonly env: Env;
  /** The definition of an actor of this thread, by its name in the tree. */
  definition(name: string): AnyActorDefinition<Map, Env>;
  /** Makes a link of what the platform's `connect` gave. */
  openLink(end: LinkEnd): Link;
  report(report: ThreadReport): void;
  /** Takes what the program says to every thread. */
  takeNotice?(notice: unknown): void;
}

/** A thread: its actors, its asks, its links to all others. */
export interface Thread<Map> {
  /** Takes what the supervisor says, in order. `exit` halts it. */
  command(command: ThreadCommand): void;
  /** Refs for whoever is no actor. */
  ref<Name extends keyof Map & string>(name: Name): ActorRef<Map[Name] extends Protocol ? Map[Name] : never>;
  /** Watches an actor from outside of any actor. */
  watch(actor: string, listener: (event: ActorLifeEvent) => void): () => void;
  /** Asks of this thread that are not answered yet. */
  readonly pendingAsks: number;
  /** Ends it at once: its actors have no say, its asks fail as stopped, its links close. */
  halt(): void;
}

/** What the parts of a thread share. */
interface ThreadParts<Map, Env> {
  readonly options: ThreadOptions<Map, Env>;
  readonly cells: MailboxCells;
  readonly asks: AskTable;
  readonly turn: Turn;
  readonly lives: LifeWatch;
  readonly refHost: RefHost;
  /** By slot. */
  readonly actors: ActorCell[];
  /** By number of the thread; null for this one and those that were never there. */
  readonly peers: (Peer | null)[];
  isAlive: boolean;
}

/** What one incarnation gets. Its refs and watches end with it, and a listener that throws is its crash. */
function createContext<Map, Env>(
  parts: ThreadParts<Map, Env>,
  name: string,
  log: Logger,
  life: Life,
): ActorContext<Map, Env> {
  const { boot, clock, random, metrics, env } = parts.options;
  const ended = life.controller.signal;
  const refs = createRefs(parts.refHost, () => parts.isAlive && !life.isEnded);
  return {
    name,
    incarnation: life.incarnation,
    thread: boot.directory.threads[boot.thread] ?? '',
    clock,
    random,
    log,
    metrics,
    env,
    ref: (other) => refs.ref(other),
    watch(actor, listener) {
      if (life.isEnded) return () => undefined;
      const unwatch = parts.lives.watch(actor, (event) => {
        try {
          listener(event);
        } catch (error) {
          life.crash(error);
        }
      });
      ended.addEventListener('abort', unwatch, { once: true });
      return () => {
        ended.removeEventListener('abort', unwatch);
        unwatch();
      };
    },
    crash: (error) => life.crash(error),
    ended,
  };
}

/** Makes the cells of the actors that live here. */
function addActors<Map, Env>(parts: ThreadParts<Map, Env>): void {
  const { boot, clock, log: threadLog, metrics } = parts.options;
  boot.directory.actors.forEach(({ name, thread, slot }, actor) => {
    if (thread !== boot.thread) return;
    const definition = parts.options.definition(name);
    const log = threadLog.child({ actor: name });
    parts.actors[slot] = createActorCell({
      actor,
      slot,
      mailbox: definition.mailbox,
      order: definition.order,
      cells: parts.cells,
      clock,
      log,
      figures: createActorFigures(metrics, name),
      turn: parts.turn,
      report: (report) => parts.options.report(report),
      start: (life) => definition.start(createContext(parts, name, log, life)),
    });
  });
}

/** Where messages go that arrive here. */
function createPeerHost<Map, Env>(parts: ThreadParts<Map, Env>, unflushed: Set<Peer>): PeerHost {
  const { clock, log } = parts.options;
  return {
    clock,
    log,
    asks: parts.asks,
    arrive: parts.refHost.arrive,
    lost: (slot, messages) => parts.actors[slot]?.lost(messages),
    needFlush(peer) {
      unflushed.add(peer);
      parts.turn.needFlush();
    },
  };
}

function createParts<Map, Env>(
  options: ThreadOptions<Map, Env>,
  unflushed: Set<Peer>,
): ThreadParts<Map, Env> {
  const { boot, clock, metrics, scheduler } = options;
  const cells = openMailboxCells(boot.cells);
  const asks = createAskTable(clock);
  const actors: ActorCell[] = [];
  const peers: (Peer | null)[] = boot.directory.threads.map(() => null);
  return {
    options,
    cells,
    asks,
    actors,
    peers,
    isAlive: true,
    turn: createTurn(scheduler, () => {
      for (const peer of unflushed) {
        unflushed.delete(peer);
        peer.flush();
      }
    }),
    lives: createLifeWatch(boot.lives, (action) => scheduler.soon(action)),
    refHost: {
      clock,
      places: new Map(boot.directory.actors.map((place) => [place.name, place])),
      absent: new Set(boot.directory.absent),
      thread: boot.thread,
      cells,
      asks,
      peer: (thread) => peers[thread] ?? null,
      arrive(slot, name, input, answerTo, askId, sentAt) {
        actors[slot]?.arrive(createMessage(name, input, answerTo, askId, sentAt));
      },
      refused: (actor) => metrics.counter(`actor.${actor}.refused`).add(),
    },
  };
}

function takeCommand<Map, Env>(
  parts: ThreadParts<Map, Env>,
  peerHost: PeerHost,
  command: Exclude<ThreadCommand, { kind: 'exit' }>,
): void {
  const { directory } = parts.options.boot;
  if (command.kind === 'life') {
    parts.lives.tell(command.life);
  } else if (command.kind === 'notice') {
    parts.options.takeNotice?.(command.notice);
  } else if (command.kind === 'link') {
    parts.peers[command.thread]?.close();
    parts.peers[command.thread] = createPeer(peerHost, {
      thread: command.thread,
      link: parts.options.openLink(command.end),
      cells: openMailboxCells(command.cells),
      outgoing: new Int32Array(command.outgoing),
      incoming: new Int32Array(command.incoming),
    });
  } else {
    const cell = parts.actors[directory.actors[command.actor]?.slot ?? -1];
    if (command.kind === 'start-actor') cell?.start(command.incarnation);
    else if (command.kind === 'end-actor') cell?.end(command.reason);
    else cell?.stop(command.deadlineMs);
  }
}

/**
 * Makes the thread that `boot` describes, with its actors unstarted, and reports `ready`. Where it really runs (a worker thread, the
 * main thread, beside others in a simulation) is up to whoever calls this.
 */
export function createThread<Map, Env>(options: ThreadOptions<Map, Env>): Thread<Map> {
  const unflushed = new Set<Peer>();
  const parts = createParts(options, unflushed);
  const peerHost = createPeerHost(parts, unflushed);
  const refs = createRefs(parts.refHost, () => parts.isAlive);
  addActors(parts);

  const halt = (): void => {
    if (!parts.isAlive) return;
    parts.isAlive = false;
    for (const cell of parts.actors) cell.halt();
    for (const peer of parts.peers) peer?.close();
    parts.asks.failAll('its own thread ended');
  };
  options.report({ kind: 'ready' });
  return {
    command(command) {
      if (!parts.isAlive) return;
      if (command.kind === 'exit') halt();
      else takeCommand(parts, peerHost, command);
    },
    ref: (name) => refs.ref(name),
    watch: (actor, listener) => parts.lives.watch(actor, listener),
    get pendingAsks() {
      return parts.asks.size;
    },
    halt,
  };
}
