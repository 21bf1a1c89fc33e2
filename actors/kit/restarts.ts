import type { ActorRecord, System, ThreadRecord } from './system.ts';
import { release, tellLife } from './system.ts';
import { markThreadDead } from './mailbox-cells.ts';
import { MAIN_THREAD } from './supervision-tree.ts';
import type { ThreadReport } from './thread-control.ts';

/** What is done about lives that begin and end. */
export interface Restarts {
  /** Starts whatever may start now. */
  advance(): void;
  report(thread: ThreadRecord, report: ThreadReport): void;
  exited(thread: ThreadRecord, error: string | undefined): void;
  restartActor(actor: ActorRecord, reason: string): void;
  /** Ends the present incarnation of an actor as its own crash would. */
  failActor(actor: ActorRecord, reason: string): void;
  /** Ends a thread, whatever it does, so that it starts anew. The main thread cannot be: there the system fails. */
  restartThread(thread: ThreadRecord, reason: string): void;
}

export interface RestartsHost {
  readonly system: System;
  spawn(thread: ThreadRecord): void;
  /** The system cannot go on. */
  fail(error: Error): void;
  /** Every actor has started. */
  allStarted(): void;
}

function isGoing(system: System): boolean {
  return system.phase === 'starting' || system.phase === 'running';
}

function startActor(actor: ActorRecord): void {
  actor.phase = 'starting';
  actor.incarnation += 1;
  if (actor.incarnation > 1) actor.restarts += 1;
  actor.thread.process?.post({
    kind: 'start-actor',
    actor: actor.number,
    incarnation: actor.incarnation,
  });
}

/** Starts the actors of a thread that came up one after the other, and those that crashed later at once. Gives whether all have started. */
function startInOrder(thread: ThreadRecord): boolean {
  for (const actor of thread.actors) {
    if (actor.phase === 'waiting') startActor(actor);
    if (!thread.isComplete && actor.phase !== 'running') return false;
  }
  thread.isComplete = true;
  return true;
}

function createActorRestarts(
  host: RestartsHost,
  advance: () => void,
): Pick<Restarts, 'restartActor'> & {
  crashed(actor: ActorRecord, error: string, escalate: (reason: string) => void): void;
} {
  const { system } = host;
  const startSoon = (actor: ActorRecord): void => {
    actor.backoff = null;
    actor.phase = 'waiting';
    advance();
  };
  return {
    crashed(actor, error, escalate) {
      tellLife(system, actor, 'stopped');
      actor.phase = 'backing-off';
      if (!isGoing(system)) return;
      if (actor.isRestartWanted) {
        actor.isRestartWanted = false;
        startSoon(actor);
        return;
      }
      const waitMs = actor.tracker.failed();
      if (waitMs === 'over-limit') {
        escalate(`${actor.name} crashed too often, last with ${error}`);
        return;
      }
      system.log.warn('an actor is restarted', { actor: actor.name, error, waitMs });
      actor.backoff = system.clock.after(waitMs, () => startSoon(actor));
    },
    restartActor(actor, reason) {
      if (actor.phase === 'backing-off') {
        if (actor.backoff !== null) system.clock.cancel(actor.backoff);
        startSoon(actor);
      } else if (actor.phase !== 'waiting') {
        actor.isRestartWanted = true;
        actor.thread.process?.post({ kind: 'end-actor', actor: actor.number, reason });
      }
    },
  };
}

/** Nothing of a dead thread is left: its actors wait for the next one. */
function clearThread(system: System, thread: ThreadRecord): void {
  markThreadDead(thread.cells);
  thread.process = null;
  thread.phase = 'down';
  thread.isComplete = false;
  for (const actor of thread.actors) {
    if (actor.backoff !== null) system.clock.cancel(actor.backoff);
    actor.backoff = null;
    actor.isRestartWanted = false;
    actor.tracker.reset();
    if (actor.phase !== 'stopped') actor.phase = 'waiting';
    tellLife(system, actor, 'stopped');
    release(actor.whenStopped);
  }
  release(thread.whenExited);
}

/** Decides what starts and when: in order, with back-off, within limits, one level up when a limit is passed. */
export function createRestarts(host: RestartsHost): Restarts {
  const { system } = host;

  const advance = (): void => {
    if (!isGoing(system)) return;
    for (const thread of system.threads) {
      // A thread that starts may ask those before it: they have to be up.
      if (thread.phase !== 'up' || !startInOrder(thread)) return;
    }
    host.allStarted();
  };
  const restartThread = (thread: ThreadRecord, reason: string): void => {
    if (thread.name === MAIN_THREAD) {
      host.fail(new Error(`the main thread cannot be restarted: ${reason}`));
    } else if (thread.process !== null && thread.endedBecause === null) {
      system.log.error('a thread is ended', { ended: thread.name, reason });
      thread.endedBecause = reason;
      markThreadDead(thread.cells);
      thread.process.terminate();
    }
  };
  const actorRestarts = createActorRestarts(host, advance);

  return {
    advance,
    restartThread,
    restartActor: actorRestarts.restartActor,
    failActor(actor, reason) {
      actor.thread.process?.post({ kind: 'end-actor', actor: actor.number, reason });
    },
    report(thread, report) {
      if (report.kind === 'ready') {
        thread.phase = 'up';
        advance();
        return;
      }
      const actor = system.actors[report.actor];
      if (actor === undefined) return;
      if (report.kind === 'crashed') {
        actorRestarts.crashed(actor, report.error, (reason) => restartThread(thread, reason));
      } else if (report.kind === 'started') {
        actor.phase = 'running';
        tellLife(system, actor, 'started');
        release(actor.whenStarted);
        advance();
      } else {
        actor.phase = 'stopped';
        tellLife(system, actor, 'stopped');
        release(actor.whenStopped);
      }
    },
    exited(thread, error) {
      const cause = thread.endedBecause ?? error;
      thread.endedBecause = null;
      clearThread(system, thread);
      if (!isGoing(system)) return;
      thread.lastError = cause ?? 'it ended by itself';
      const waitMs = thread.tracker.failed();
      if (waitMs === 'over-limit') {
        host.fail(new Error(`thread ${thread.name} ended too often, last with ${thread.lastError}`));
        return;
      }
      system.log.error('a thread is restarted', { restarted: thread.name, error: thread.lastError, waitMs });
      thread.restarts += 1;
      thread.backoff = system.clock.after(waitMs, () => {
        thread.backoff = null;
        host.spawn(thread);
      });
    },
  };
}
