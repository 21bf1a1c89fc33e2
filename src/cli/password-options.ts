import type { Command } from 'commander';

/** From where a new password comes. */
export interface PasswordOptions {
  readonly passwordStdin?: true;
  readonly generate?: true;
}

/** Declares the options that say where a new password comes from. */
export function definePasswordOptions(command: Command): Command {
  return command
    .option('--password-stdin', 'read the password from standard input, also where there is a terminal')
    .option('--generate', 'make a password, and print it');
}
