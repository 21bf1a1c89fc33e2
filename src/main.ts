import { isExpectedError } from './cli/expected-error.ts';
import { readStartArguments } from './cli/start-arguments.ts';

async function main(args: readonly string[]): Promise<void> {
  const start = readStartArguments(args);
  if (start === null) {
    const { runCommand } = await import('./cli/run-command.ts');
    await runCommand(args);
  } else {
    const { startServer } = await import('./cli/start-server.ts');
    await startServer(start.configFile);
  }
}

// A module may need what is not there: the disk that the one-file program unpacks its native parts to, for example.
main(process.argv.slice(2)).catch((error: unknown) => {
  const said = isExpectedError(error) ? error.message : String((error as Error).stack ?? error);
  process.stderr.write(`Troupe cannot run: ${said}\n`);
  process.exit(1);
});
