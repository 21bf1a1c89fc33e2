import type { Thread, ThreadOptions } from './thread.ts';
import { createThread } from './thread.ts';
import type { ThreadEvents, ThreadProcess } from './thread-control.ts';

/** A thread of the kit that lives on the thread that made it: the supervisor's own, or one of many in a simulation. */
export interface LocalThread<Map> {
  readonly thread: Thread<Map>;
  readonly process: ThreadProcess;
}

/**
 * Makes a thread on the present one. Commands and reports go through the scheduler, in order, so that nobody is called back within
 * his own call.
 *
 * @param options all but `report`, which goes to `events`
 */
export function createLocalThread<Map, Env>(
  options: Omit<ThreadOptions<Map, Env>, 'report'>,
  events: ThreadEvents,
): LocalThread<Map> {
  const { scheduler } = options;
  let isAlive = true;
  const thread = createThread<Map, Env>({
    ...options,
    report: (report) => scheduler.soon(() => isAlive && events.report(report)),
  });
  const end = (): void => {
    if (!isAlive) return;
    // A stop that was reported just now is to be heard before the end.
    thread.halt();
    scheduler.soon(() => {
      isAlive = false;
      events.exited(undefined);
    });
  };
  return {
    thread,
    process: {
      post(command) {
        scheduler.soon(() => {
          if (!isAlive) return;
          if (command.kind === 'exit') end();
          else thread.command(command);
        });
      },
      terminate: end,
    },
  };
}
