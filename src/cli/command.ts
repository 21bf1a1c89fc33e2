import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { Random } from '../kit/random.ts';

/** What a command's process ends with: done, failed, asked for in a way that does not exist, or ended by Ctrl-C. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command cannot do what it was asked to: the message says what, where, and what to do. Exit code 1. */
export class CommandFailed extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandFailed';
  }
}

/** The command was asked for in a wrong way: the message says what is wrong and what is right. Exit code 2. */
export class WrongUsage extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WrongUsage';
  }
}

/** Somebody has pressed Ctrl-C in answer to a question. Exit code 130, as for a program that a signal has ended. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

/** Where a command reads and writes. */
export interface CommandStreams {
  readonly input: NodeJS.ReadStream;
  /** Data: what another program may want to read. */
  readonly output: NodeJS.WriteStream;
  /** Talk: questions, progress, warnings, errors. */
  readonly talk: NodeJS.WriteStream;
}

/** What a command has at hand. */
export interface CommandContext {
  readonly streams: CommandStreams;
  /** Is somebody there to answer a question, and to read it? */
  readonly isAttended: boolean;
  /** The file that `--config` names, or `config.toml` in the current folder. */
  readonly configFile: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Writes warnings and errors to `talk`, one JSON object a line, as the server does. */
  readonly log: Logger;
  /**
   * Reads the configuration.
   *
   * @throws ConfigError, ConfigFileUnreadable
   */
  readonly loadConfig: () => Config;
  /** Writes data, and resolves when there is room for more. Resolves to false when nobody reads any more (`troupe … | head`). */
  readonly print: (text: string) => Promise<boolean>;
  /** Writes a line of talk. */
  readonly say: (line: string) => void;
}

/** What a command was given. */
export interface Given<Options extends object> {
  /** In their order; undefined where an optional one is not there. */
  readonly args: readonly (string | undefined)[];
  readonly options: Options;
}

/** A command: a file of `src/cli/commands/` exports it. */
export interface CommandDefinition<Options extends object> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What else is to be known, below the options; lines of 100 characters at most. */
  readonly help?: string;
  /** Declares its arguments and options. `--config` and `--help` are there for all. */
  readonly define?: (command: Command) => void;
  /**
   * Does it. What is large is imported here, not at the top of the file. Null: the process goes on, and ends by itself.
   *
   * @throws CommandFailed, WrongUsage, or another error whose message is for people; anything else is a defect and shows its stack
   */
  readonly run: (context: CommandContext, given: Given<Options>) => Promise<ExitCode | null>;
}

/** Runs what a command's parsed arguments ask for. */
export type Start = (
  command: Command,
  run: (context: CommandContext) => Promise<ExitCode | null>,
) => Promise<void>;

/** A command, or a group of them, that can be added to the others. */
export interface CliCommand {
  readonly addTo: (parent: Command, start: Start) => void;
}

/** Defines a command. */
export function defineCommand<Options extends object>(definition: CommandDefinition<Options>): CliCommand {
  const { name, summary, help, define, run } = definition;
  return {
    addTo(parent, start) {
      const command = parent.command(name).summary(summary).description(summary);
      define?.(command);
      if (help !== undefined) command.addHelpText('after', `\n${help}`);
      command.action(() => {
        // Optional arguments that are absent stand there as undefined.
        const args = command.processedArgs as readonly (string | undefined)[];
        return start(command, (context) => run(context, { args, options: command.opts<Options>() }));
      });
    },
  };
}

/** Defines a group, such as `user`, of commands such as `user create`. */
export function defineGroup(name: string, summary: string, commands: readonly CliCommand[]): CliCommand {
  return {
    addTo(parent, start) {
      const group = parent.command(name).summary(summary).description(summary).helpCommand(false);
      for (const command of commands) command.addTo(group, start);
    },
  };
}
