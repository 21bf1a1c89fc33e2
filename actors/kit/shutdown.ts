import type { Clock, Milliseconds } from '../../src/kit/clock.ts';
import type { ActorRecord, System, ThreadRecord } from './system.ts';

/** What the supervisor gives a thread beyond the deadline of its actor before it ends it. */
const STOP_GRACE_MS = 1_000;
/** How long a thread that was told to exit may take, and how long the supervisor waits for one that it has ended. */
const EXIT_DEADLINE_MS = 2_000;

/** Waits until what is waited for calls back. Gives false when `deadlineMs` pass first. */
function waitUntil(clock: Clock, waiting: Set<() => void>, deadlineMs: Milliseconds): Promise<boolean> {
  return new Promise((resolve) => {
    const happened = (): void => {
      clock.cancel(timer);
      resolve(true);
    };
    const timer = clock.after(deadlineMs, () => {
      waiting.delete(happened);
      resolve(false);
    });
    waiting.add(happened);
  });
}

async function stopActor(system: System, actor: ActorRecord): Promise<void> {
  const { clock, tree } = system;
  const { process } = actor.thread;
  if (process === null || actor.phase === 'stopped') return;
  const stopped = waitUntil(clock, actor.whenStopped, tree.stopDeadlineMs + STOP_GRACE_MS);
  process.post({ kind: 'stop-actor', actor: actor.number, deadlineMs: tree.stopDeadlineMs });
  if (await stopped) return;
  system.log.error('a thread does not stop: it is ended', { ended: actor.thread.name, actor: actor.name });
  await endThread(system, actor.thread);
}

async function endThread(system: System, thread: ThreadRecord): Promise<void> {
  if (thread.process === null) return;
  const exited = waitUntil(system.clock, thread.whenExited, EXIT_DEADLINE_MS);
  thread.process.terminate();
  if (!(await exited)) system.log.error('a thread does not end', { thread: thread.name });
}

async function stopThread(system: System, thread: ThreadRecord): Promise<void> {
  if (thread.backoff !== null) system.clock.cancel(thread.backoff);
  thread.backoff = null;
  if (thread.phase === 'up') {
    for (const actor of thread.actors.toReversed()) {
      // One after the other: an actor may need those that started before it until it has stopped.
      await stopActor(system, actor);
    }
    const exited = waitUntil(system.clock, thread.whenExited, EXIT_DEADLINE_MS);
    thread.process?.post({ kind: 'exit' });
    if (thread.process !== null) await exited;
  }
  await endThread(system, thread);
  thread.phase = 'ended';
}

/** Stops everything in reverse order; a thread that does not stop in time is ended. */
export async function shutDown(system: System): Promise<void> {
  system.phase = 'stopping';
  for (const actor of system.actors) {
    if (actor.backoff !== null) system.clock.cancel(actor.backoff);
    actor.backoff = null;
  }
  for (const thread of system.threads.toReversed()) {
    await stopThread(system, thread);
  }
  system.phase = 'stopped';
}
