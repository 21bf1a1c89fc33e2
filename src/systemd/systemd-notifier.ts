import { execFile } from 'node:child_process';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';

/** Node knows no datagram sockets on paths: what every machine with systemd has sends them. */
const SENDER = 'systemd-notify';
/** It waits until the service manager has taken what it sent, but not for ever. */
const SENDER_DEADLINE_MS = 10_000;
/** Messages that wait for the sender. More of them means that nobody takes any. */
const WAITING_MAX = 16;
const MICROSECONDS_PER_MS = 1_000;

/** What the service manager is told of this process. */
export interface SystemdNotifier {
  /**
   * The server answers. From now on the service manager's watchdog is fed, as long as nothing is beyond repair.
   *
   * @param status one line for `systemctl status`
   * @param beyondRepair what the supervisor has not been able to mend, by name
   */
  ready(status: string, beyondRepair: () => readonly string[]): void;
  /** @param reload reads the configuration again, and gives one line about what came of it */
  reloading(reload: () => string): void;
  stopping(): void;
}

/** What a notifier is made of. */
export interface SystemdNotifierOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Logger;
  /** The reading of CLOCK_MONOTONIC in microseconds, by which systemd tells one reload from the next. */
  monotonicMicros(): bigint;
}

const NOBODY: SystemdNotifier = {
  ready: () => undefined,
  reloading: (reload) => void reload(),
  stopping: () => undefined,
};

/** A line feed would end the message. */
function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/\s+/g, ' ')}`;
}

/** Sends one message after the other, since each is sent by a process of its own. */
function createSender({ log }: SystemdNotifierOptions): (variables: readonly string[]) => void {
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  let hasFailed = false;
  const send = (variables: readonly string[]): Promise<void> =>
    new Promise((resolve) => {
      execFile(SENDER, [...variables], { timeout: SENDER_DEADLINE_MS }, (error) => {
        waiting -= 1;
        if (error !== null && !hasFailed) {
          hasFailed = true;
          log.error(
            `${SENDER} cannot tell systemd how this server is: is it installed, and does the unit say NotifyAccess=all?`,
            { error },
          );
        }
        resolve();
      });
    });
  return (variables) => {
    if (waiting >= WAITING_MAX) return;
    waiting += 1;
    last = last.then(() => send(variables));
  };
}

/** Feeds the service manager's watchdog at twice the rate that it asks for. */
function feedWatchdog(
  { clock, log }: SystemdNotifierOptions,
  watchdogMicros: number,
  beyondRepair: () => readonly string[],
  send: (variables: readonly string[]) => void,
): void {
  let isStarving = false;
  const feed = (): void => {
    const lost = beyondRepair();
    if (lost.length === 0) send(['WATCHDOG=1']);
    else if (!isStarving) {
      log.error('beyond repair: systemd is left to restart this server', { lost });
      send([statusLine(`Beyond repair: ${lost.join(', ')}`)]);
    }
    isStarving = lost.length > 0;
    clock.after(watchdogMicros / MICROSECONDS_PER_MS / 2, feed);
  };
  feed();
}

/**
 * Makes what tells systemd how the server is: `sd_notify(3)`, which needs `NotifyAccess=all`, since another process sends the messages. Where
 * nobody wants to know (`NOTIFY_SOCKET` is not set) nothing is ever started. `WATCHDOG_PID` is not looked at: it names the main process of the
 * unit, which may be a starter of this one.
 */
export function createSystemdNotifier(options: SystemdNotifierOptions): SystemdNotifier {
  const { environment } = options;
  if ((environment['NOTIFY_SOCKET'] ?? '') === '') return NOBODY;
  const watchdogMicros = Number(environment['WATCHDOG_USEC'] ?? 0);
  const send = createSender(options);
  return {
    ready(status, beyondRepair) {
      send(['READY=1', statusLine(status)]);
      if (watchdogMicros > 0) feedWatchdog(options, watchdogMicros, beyondRepair, send);
    },
    reloading(reload) {
      send(['RELOADING=1', `MONOTONIC_USEC=${options.monotonicMicros()}`]);
      send(['READY=1', statusLine(reload())]);
    },
    stopping: () => send(['STOPPING=1', statusLine('Stopping')]),
  };
}
