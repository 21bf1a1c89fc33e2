import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Program, startProgram } from '../actors/program.ts';
import type { Config, ListenAddress } from './config/config.ts';
import { loadConfig } from './config/load-config.ts';
import { systemClock } from './kit/clock.ts';
import { createLogger } from './kit/pino-logger.ts';
import { systemRandom } from './kit/random.ts';
import { KNOWN_ROOM_VERSIONS } from './matrix/rooms/room-versions.ts';

const USAGE = `Usage: npm start -- [--config FILE]

  --config FILE   options that differ from config.toml
  --help          this text

Environment variables TROUPE_<SECTION>_<KEY> win over both files.
`;

function readText(file: string): { readonly file: string; readonly text: string } {
  return { file, text: readFileSync(file, 'utf8') };
}

function readConfig(ownFile: string | undefined): Config {
  const own = ownFile === undefined ? {} : { own: readText(ownFile) };
  const builtIn = readFileSync(new URL('../config.toml', import.meta.url), 'utf8');
  return loadConfig({
    defaults: { file: 'config.toml', text: builtIn },
    ...own,
    environment: process.env,
    roomVersions: KNOWN_ROOM_VERSIONS.map(({ id }) => id),
    cores: availableParallelism(),
  });
}

function urlOf({ host, port }: ListenAddress, scheme = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function printWelcome(config: Config, program: Program): void {
  const lines = [
    'Troupe, a Matrix homeserver',
    `  listening on        ${urlOf(program.address)}`,
    ...(program.federationAddress === null
      ? []
      : [`  with TLS            ${urlOf(program.federationAddress, 'https')}`]),
    `  server name         ${config.server.name}`,
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

/** Ends the process with a message for people. */
function fail(error: unknown): never {
  // What the program, the system or the argument parser says on purpose has a name or a code of its own; anything else is a defect.
  const isExpected =
    error instanceof Error && (!['Error', 'TypeError'].includes(error.name) || 'code' in error);
  process.stderr.write(
    `Troupe cannot run: ${isExpected ? error.message : String((error as Error).stack ?? error)}\n`,
  );
  process.exit(1);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  const config = readConfig(values.config);
  const sink = (line: string): void => void process.stderr.write(line);
  const log = createLogger({ level: config.log.level, thread: 'main', sink, now: () => systemClock.now() });
  const program = await startProgram({
    config,
    clock: systemClock,
    random: systemRandom,
    log,
    onFailure: fail,
  });
  const stop = (signal: string): void => {
    log.info('stopping', { signal });
    program.stop().then(() => process.exit(0), fail);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  printWelcome(config, program);
  // Now rather than at the end, which may be a sudden one.
  flushCompileCache();
}

await main().catch(fail);
