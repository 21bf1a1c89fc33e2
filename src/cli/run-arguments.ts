import { Command, CommanderError } from 'commander';
import { IMPLEMENTATION } from '../http/kit/implementation.ts';
import { type CommandContext, EXIT, type ExitCode, Interrupted, type Start, WrongUsage } from './command.ts';
import { COMMANDS } from './commands.ts';
import { isExpectedError } from './expected-error.ts';

const HELP = `
Without a command it starts the server. Options are in config.toml ("troupe init" writes one);
environment variables TROUPE_<SECTION>_<KEY> win over it.

Exit codes: 0 done, 1 failed, 2 wrong usage.`;
const HELP_WIDTH = 100;

/** The parser's complaint in one line: `error: unknown command 'usr'\n(Did you mean user?)`. */
function inOneLine(complaint: string): string {
  return complaint.replace(/^error: /, 'troupe: ').replace(/\n\(Did you mean (.*)\)/s, ' (did you mean $1)');
}

function createParser({ streams }: CommandContext, start: Start): Command {
  const program = new Command('troupe')
    .description('Troupe, a Matrix homeserver')
    .version(IMPLEMENTATION.version, '-V, --version', 'say the version number')
    .option('--config <FILE>', 'the configuration file')
    .helpOption('-h, --help', 'say what there is')
    .helpCommand(false)
    .addHelpText('after', HELP)
    .configureHelp({ showGlobalOptions: true, helpWidth: HELP_WIDTH })
    .configureOutput({
      writeOut: (text) => void streams.output.write(text),
      writeErr: (text) => void streams.talk.write(text),
      outputError: (text, write) => write(inOneLine(text)),
    })
    .showHelpAfterError('See "troupe --help".')
    .exitOverride();
  for (const command of COMMANDS) command.addTo(program, start);
  return program;
}

function describe(error: unknown): string {
  if (isExpectedError(error)) return error.message;
  return `this should not have happened: ${String((error as Error).stack ?? error)}`;
}

/** What went wrong, for people, and the exit code that goes with it. */
function exitCodeFor(error: unknown, context: CommandContext): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof Interrupted) return EXIT.interrupted;
  context.say(`troupe: ${describe(error)}`);
  return error instanceof WrongUsage ? EXIT.usage : EXIT.failed;
}

/**
 * Parses arguments, runs the command that they ask for, and says what went wrong.
 *
 * @param args without the program's own name
 * @param contextFor makes the context of a command for what `--config` names
 * @returns the exit code; null when the process goes on
 */
export async function runArguments(
  args: readonly string[],
  contextFor: (configFile: string | undefined) => CommandContext,
): Promise<ExitCode | null> {
  let context = contextFor(undefined);
  let code: ExitCode | null = EXIT.done;
  const start: Start = async (command, run) => {
    const { config } = command.optsWithGlobals<{ config?: string }>();
    if (config !== undefined) context = contextFor(config);
    code = await run(context);
  };
  try {
    await createParser(context, start).parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return exitCodeFor(error, context);
  }
}
