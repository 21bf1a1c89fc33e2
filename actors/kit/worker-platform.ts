import { MessageChannel, Worker } from 'node:worker_threads';
import type { MessagePort, WorkerOptions } from 'node:worker_threads';
import type { ThreadBoot, ThreadPlatform, ThreadReport } from './thread-control.ts';

/** What a worker finds in its `workerData`. */
export interface WorkerBoot {
  readonly boot: ThreadBoot;
  /** What the program gives to every worker: structured-cloneable. */
  readonly data: unknown;
}

export interface WorkerPlatformOptions {
  /** The module that a worker runs, or its code with `worker.eval`; it calls `serveWorkerThread`. */
  readonly entry: URL | string;
  /** Gives what a new worker is told: asked for each of its lives, so that a later one knows what was said meanwhile. */
  data(): unknown;
  /** Limits, environment and the like, the same for all workers. */
  readonly worker?: Omit<WorkerOptions, 'workerData' | 'name'>;
}

function describeExit(code: number): string | undefined {
  return code === 0 ? undefined : `exit code ${code}`;
}

/** Threads that are worker threads, connected by message channels. */
export function createWorkerPlatform(options: WorkerPlatformOptions): ThreadPlatform {
  return {
    spawn(boot, events) {
      const workerData: WorkerBoot = { boot, data: options.data() };
      const name = boot.directory.threads[boot.thread] ?? '';
      const worker = new Worker(options.entry, { ...options.worker, name, workerData });
      let cause: string | undefined;
      worker.on('message', (report: ThreadReport) => events.report(report));
      worker.on('error', (error: unknown) => {
        cause = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      });
      worker.once('exit', (code) => events.exited(cause ?? describeExit(code)));
      return {
        post(command) {
          const moved = command.kind === 'link' ? [command.end as MessagePort] : [];
          worker.postMessage(command, moved);
        },
        terminate: () => void worker.terminate(),
      };
    },
    connect() {
      const { port1, port2 } = new MessageChannel();
      return [port1, port2];
    },
    keepAlive() {
      const { port1 } = new MessageChannel();
      port1.ref();
      return () => port1.close();
    },
  };
}
