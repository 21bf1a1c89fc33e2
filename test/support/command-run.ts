import { PassThrough } from 'node:stream';
import type { CommandContext, ExitCode } from '../../src/cli/command.ts';
import { readConfig } from '../../src/cli/read-config.ts';
import { runArguments } from '../../src/cli/run-arguments.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { createFakeClock } from './fake-clock.ts';

/** What a command has come to. */
export interface CommandRun {
  readonly code: ExitCode | null;
  /** What it printed: data. */
  readonly out: string;
  /** What it said: talk. */
  readonly said: string;
}

/** What surrounds a command. */
export interface CommandSurroundings {
  readonly environment?: Readonly<Record<string, string>>;
  /** What stands on standard input, which is no terminal. */
  readonly input?: string;
  readonly clock?: Clock;
}

/** Runs a command on the thread of the test. */
export async function runCommandHere(
  args: readonly string[],
  { environment = {}, input = '', clock = createFakeClock() }: CommandSurroundings = {},
): Promise<CommandRun> {
  let out = '';
  let said = '';
  const stdin = new PassThrough();
  stdin.end(input);
  const collect = (take: (text: string) => void): NodeJS.WriteStream =>
    ({ write: (text: string) => (take(text), true) }) as unknown as NodeJS.WriteStream;
  const output = collect((text) => (out += text));
  const talk = collect((text) => (said += text));
  const code = await runArguments(args, (configFile): CommandContext => ({
    streams: { input: stdin as unknown as NodeJS.ReadStream, output, talk },
    isAttended: false,
    configFile,
    environment,
    clock,
    random: seededRandom(1),
    log: silentLogger,
    loadConfig: () => readConfig(configFile, environment),
    print: (text) => Promise.resolve(output.write(text)),
    say: (line) => void talk.write(`${line}\n`),
  }));
  return { code, out, said };
}
