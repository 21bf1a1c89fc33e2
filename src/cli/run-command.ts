import type { ExitCode } from './command.ts';
import { createProcessContext } from './process-context.ts';
import { runArguments } from './run-arguments.ts';

/** Ends the process when what it has written is out. */
async function exit(code: ExitCode): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => void stream.write('', () => resolve()));
  process.exit(code);
}

/**
 * Runs the command that the arguments of the process ask for; then the process ends with the command's exit code.
 *
 * @param args without the program's own name
 */
export async function runCommand(args: readonly string[]): Promise<void> {
  const code = await runArguments(args, createProcessContext);
  if (code !== null) await exit(code);
}
