import { channel } from 'node:diagnostics_channel';
import { flushCompileCache } from 'node:module';
import { resolve } from 'node:path';
import { type Program, startProgram } from '../../actors/program.ts';
import type { Config, ListenAddress } from '../config/config.ts';
import type { ReloadReport } from '../inspector/settings-report.ts';
import { systemClock } from '../kit/clock.ts';
import { createLogLevelSwitch } from '../kit/log-levels.ts';
import { createLogger } from '../kit/pino-logger.ts';
import { systemRandom } from '../kit/random.ts';
import { createSystemdNotifier } from '../systemd/systemd-notifier.ts';
import { isExpectedError } from './expected-error.ts';
import { configOf, findConfigFile, readConfigAgain, readConfigFile, readSchema } from './read-config.ts';

/** A terminal sends Ctrl-C to a starter and to the program alike, and the starter passes its own on: within this time they are one, in milliseconds. */
const SAME_SIGNAL_MS = 500;

const NANOSECONDS_PER_MICROSECOND = 1_000n;

function urlOf({ host, port }: ListenAddress, scheme = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function printWelcome(config: Config, configFile: string | undefined, program: Program): void {
  const lines = [
    'Troupe, a Matrix homeserver',
    `  listening on        ${urlOf(program.address)}`,
    ...(program.federationAddress === null
      ? []
      : [`  with TLS            ${urlOf(program.federationAddress, 'https')}`]),
    `  server name         ${config.server.name}`,
    ...(configFile === undefined ? [] : [`  configuration       ${resolve(configFile)}`]),
    `  data folder         ${resolve(config.data.path)}`,
    `  inspector           ${urlOf(program.inspectorAddress)}/_troupe/inspector/v1`,
  ];
  if (program.firstToken !== null) {
    lines.push(
      `  registration token  ${program.firstToken}`,
      '',
      'There is no administrator yet. Whoever registers with this token becomes one; it works once.',
    );
  }
  process.stdout.write(`${lines.join('\n')}\nReady.\n`);
}

/** One line for `systemctl status`; the log says it in full. */
function describeReload(report: ReloadReport | null): string {
  if (report === null) return 'there is no configuration to read again';
  const { outcome, tookEffect, needRestart, problems } = report;
  if (outcome === 'wrong')
    return `the configuration is wrong, nothing changed: ${problems[0]?.where} ${problems[0]?.what}`;
  const waiting = needRestart.length === 0 ? '' : `, ${needRestart.length} need a restart`;
  return `the configuration was read again: ${tookEffect.length} options took effect${waiting}`;
}

/** Ends the process with a message for people. */
function fail(error: unknown): never {
  const said = isExpectedError(error) ? error.message : String((error as Error).stack ?? error);
  process.stderr.write(`Troupe cannot run: ${said}\n`);
  process.exit(1);
}

async function run(named: string | undefined): Promise<void> {
  const configFile = findConfigFile(named, process.cwd());
  const started = readConfigFile(configFile, process.env);
  const config = configOf(started);
  const sink = (line: string): void => void process.stderr.write(line);
  const logLevels = createLogLevelSwitch(config.log.level);
  const log = createLogger({ level: logLevels, thread: 'main', sink, now: () => systemClock.now() });
  const program = await startProgram({
    config,
    clock: systemClock,
    random: systemRandom,
    log,
    logLevels,
    configuration: {
      schema: readSchema(),
      started,
      read: () => readConfigAgain(configFile, process.env),
    },
    onFailure: fail,
  });
  const systemd = createSystemdNotifier({
    environment: process.env,
    clock: systemClock,
    log,
    monotonicMicros: () => process.hrtime.bigint() / NANOSECONDS_PER_MICROSECOND,
  });
  const serving = `Serving ${config.server.name} on ${urlOf(program.address)}`;
  let stoppingSince: number | null = null;
  const stop = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== null) {
      // Who asks again does not want to wait.
      if (systemClock.monotonic() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = systemClock.monotonic();
    log.info('stopping', { signal });
    systemd.stopping();
    program.stop().then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => systemd.reloading(() => `${serving}; ${describeReload(program.reload())}`));
  systemd.ready(serving, () => program.supervisor.beyondRepair());
  printWelcome(config, configFile, program);
  // Now rather than at the end, which may be a sudden one.
  flushCompileCache();
  // For src/start.mjs, which may have something to do for the next start.
  channel('troupe.ready').publish({ log });
}

/**
 * Runs the server until a signal ends it: `troupe`, `troupe start`. What keeps it from running is said on standard error, exit code 1.
 *
 * @param named the administrator's file; when undefined, `config.toml` in the current folder, or none
 */
export function startServer(named: string | undefined): Promise<void> {
  return run(named).catch(fail);
}
