import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Piscina } from 'piscina';
import type { JsonObject } from '../../src/kit/json.ts';
import { PROGRAM_FOLDER } from '../../src/kit/program-files.ts';
import { type Refusal, isRefusal, refuse } from '../../src/matrix/refusal.ts';
import type { RenderTask } from '../../src/media/render-thumbnail.ts';
import type { ThumbnailFile } from '../../src/media/thumbnail.ts';
import { defineActor } from '../environment.ts';
import type { PoolProtocol } from './protocol.ts';
import type {
  checkEvents,
  diffStates,
  explainState,
  hashPassword,
  renderThumbnail,
  resolveState,
  verifyPassword,
} from './worker.ts';

const MAILBOX_LIMIT = 1_000;
/** Threads that compute at the same time: each holds 19 MiB while it hashes a password. */
export const POOL_THREADS_MAX = 4;
/** Tasks that wait for a thread; at some 12 ms each, those at the end wait for a few seconds. */
export const POOL_QUEUE_MAX = 256;
/** A thread that has had nothing to do for so long ends, and gives its memory back. */
export const POOL_IDLE_TIMEOUT_MS = 10_000;
/** When to try again after the queue was full, in milliseconds. */
const RETRY_AFTER_MS = 2_000;

const WORKER = join(PROGRAM_FOLDER, 'actors', 'pool', 'worker.ts');

/** The tasks of the worker, by name. */
interface Tasks {
  readonly checkEvents: typeof checkEvents;
  readonly hashPassword: typeof hashPassword;
  readonly verifyPassword: typeof verifyPassword;
  readonly renderThumbnail: typeof renderThumbnail;
  readonly resolveState: typeof resolveState;
  readonly explainState: typeof explainState;
  readonly diffStates: typeof diffStates;
}

const busy = refuse('M_LIMIT_EXCEEDED', 'too much is being computed, try again soon', {
  status: 503,
  extra: { retry_after_ms: RETRY_AFTER_MS },
});

/** @param onError called when a thread fails that has no task, such as one that cannot start: the pool would start no more then */
async function openPool(onError: (error: Error) => void): Promise<Piscina> {
  const { Piscina } = await import('piscina');
  const piscina = new Piscina({
    filename: WORKER,
    minThreads: 0,
    maxThreads: Math.min(POOL_THREADS_MAX, availableParallelism()),
    maxQueue: POOL_QUEUE_MAX,
    idleTimeout: POOL_IDLE_TIMEOUT_MS,
  });
  piscina.on('error', onError);
  return piscina;
}

/** Pure computations that would block a thread: they run on threads of their own, which come and go with the work. */
export const poolActor = defineActor<PoolProtocol>({
  name: 'pool',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  start(context) {
    let opened: Promise<Piscina> | null = null;
    // Loaded with the first task: a server that has just started needs no pool.
    const open = (): Promise<Piscina> => (opened ??= openPool((error) => context.crash(error)));
    context.ended.addEventListener('abort', () => void opened?.then((piscina) => piscina.destroy()), {
      once: true,
    });
    const queued = context.metrics.gauge('pool.queued');

    async function submit<Name extends keyof Tasks>(
      name: Name,
      task: Parameters<Tasks[Name]>[0],
    ): Promise<Awaited<ReturnType<Tasks[Name]>> | typeof busy> {
      const piscina = await open();
      if (piscina.queueSize >= POOL_QUEUE_MAX) return busy;
      const result: Promise<Awaited<ReturnType<Tasks[Name]>>> = piscina.run(task, { name });
      queued.set(piscina.queueSize);
      return result;
    }

    async function runOnPassword<Name extends 'hashPassword' | 'verifyPassword'>(
      name: Name,
      task: Parameters<Tasks[Name]>[0],
    ): Promise<ReturnType<Tasks[Name]> | typeof busy> {
      try {
        return await submit(name, task);
      } catch (error) {
        // A handler that throws is logged with its input, and this input is a password: so the crash is reported without it, and what
        // the handler gives afterwards is nobody's any more.
        context.crash(error);
        return busy;
      }
    }

    /** What is broken is one task, on a thread that keeps nothing: other tasks and all passwords shall not suffer from it. */
    async function runApart<Name extends Exclude<keyof Tasks, 'hashPassword' | 'verifyPassword'>>(
      name: Name,
      task: Parameters<Tasks[Name]>[0],
      about: JsonObject,
    ): Promise<Awaited<ReturnType<Tasks[Name]>> | Refusal> {
      try {
        return await submit(name, task);
      } catch (error) {
        context.log.error('a task of the pool failed', { task: name, ...about, error });
        return refuse('M_UNKNOWN', `the server failed in ${name}`, { status: 500 });
      }
    }

    const runOnStates = <Name extends 'resolveState' | 'explainState' | 'diffStates'>(
      name: Name,
      task: Parameters<Tasks[Name]>[0],
    ): Promise<Awaited<ReturnType<Tasks[Name]>> | Refusal> => runApart(name, task, { roomId: task.roomId });

    async function render(task: RenderTask): Promise<ThumbnailFile | Refusal> {
      // The native library stays loaded on this thread, because those of the pool come and go, and it must not be unloaded under one of them.
      await import('sharp');
      return runApart('renderThumbnail', task, { source: task.source });
    }

    return {
      handlers: {
        async 'pool.check-events'(task) {
          const events = await runApart('checkEvents', task, { events: task.events.length });
          return isRefusal(events) ? events : { kind: 'checked', events };
        },
        'pool.render-thumbnail': render,
        async 'pool.hash-password'(task) {
          const hash = await runOnPassword('hashPassword', task);
          return typeof hash === 'string' ? { hash } : hash;
        },
        async 'pool.verify-password'(task) {
          const matches = await runOnPassword('verifyPassword', task);
          return typeof matches === 'boolean' ? { matches } : matches;
        },
        'pool.resolve-state': (task) => runOnStates('resolveState', task),
        'pool.explain-state': (task) => runOnStates('explainState', task),
        'pool.diff-states': (task) => runOnStates('diffStates', task),
      },
      stop: async () => (await opened)?.close(),
    };
  },
});
