import type { CheckResult } from '../../backup/verify/finding.ts';
import { type CommandContext, defineCommand, EXIT, type ExitCode } from '../command.ts';

interface VerifyCommandOptions {
  readonly data?: string;
  readonly full?: true;
  readonly json?: true;
  readonly backup?: string;
}

const CHECK_WIDTH = 20;

function linesOf({ check, lookedAt, findings, count, notes }: CheckResult): string {
  const lines = [`${check.padEnd(CHECK_WIDTH)} ${lookedAt}: ${count === 0 ? 'fine' : `${count} findings`}`];
  for (const { what, todo } of findings) lines.push(`  ! ${what}`, `    To do: ${todo}.`);
  if (count > findings.length) lines.push(`  ! and ${count - findings.length} more`);
  for (const note of notes) lines.push(`  note: ${note}`);
  return `${lines.join('\n')}\n`;
}

async function verifyBackup(context: CommandContext, file: string, isJson: boolean): Promise<ExitCode> {
  const [{ readBackup }, { showProgress }, { interruptible }] = await Promise.all([
    import('../../backup/read-backup.ts'),
    import('../show-progress.ts'),
    import('../interruptible.ts'),
  ]);
  const { statSync } = await import('node:fs');
  const totalBytes = statSync(file).size;
  let doneBytes = 0;
  const shown = showProgress(context);
  const onBytes = (bytes: number): void => {
    doneBytes += bytes;
    shown.onProgress({ what: 'reading', doneBytes, totalBytes });
  };
  const { manifest, summary } = await interruptible((signal) =>
    readBackup(file, { into: null, onBytes, signal }),
  ).finally(() => shown.end());
  const { serverName, createdTs, programVersion } = manifest;
  const made = new Date(createdTs).toISOString();
  await context.print(
    isJson
      ? `${JSON.stringify({ consistent: true, manifest, summary })}\n`
      : `${file} is a whole backup of ${serverName}, made ${made} by version ${programVersion}, with ${summary.media.included} media files.\n`,
  );
  return EXIT.done;
}

async function verifyFolder(context: CommandContext, options: VerifyCommandOptions): Promise<ExitCode> {
  const [{ verify }, { resolve }] = await Promise.all([
    import('../../backup/verify/verify.ts'),
    import('node:path'),
  ]);
  const config = context.loadConfig();
  const dataFolder = options.data ?? config.data.path;
  const isJson = options.json === true;
  const results: CheckResult[] = [];
  const { clock, log } = context;
  const count = await verify({
    dataFolder,
    serverName: config.server.name,
    isFull: options.full === true,
    clock,
    log,
    async onResult(result) {
      if (isJson) results.push(result);
      else await context.print(linesOf(result));
    },
  });
  const isConsistent = count === 0;
  if (isJson) await context.print(`${JSON.stringify({ consistent: isConsistent, checks: results })}\n`);
  else
    await context.print(
      isConsistent
        ? `${resolve(dataFolder)} is consistent.\n`
        : `${resolve(dataFolder)} is not consistent: ${count} findings.\n`,
    );
  return isConsistent ? EXIT.done : EXIT.failed;
}

export const verifyCommand = defineCommand<VerifyCommandOptions>({
  name: 'verify',
  summary: 'look whether a server’s data fits together; changes nothing',
  help: `The server may run. Exit code 0: consistent; 1: findings, each with what to do. Without --full it reads the
database once and looks at each media file's size; with it it also compares every index with its table,
every event with its id and every media file with its hash, which takes as long as reading all of it.`,
  define: (command) =>
    command
      .option('--full', 'read everything')
      .option('--data <FOLDER>', 'another data folder than that of the configuration')
      .option('--backup <FILE>', 'read a backup through instead')
      .option('--json', 'as a JSON object'),
  run: (context, { options }) =>
    options.backup === undefined
      ? verifyFolder(context, options)
      : verifyBackup(context, options.backup, options.json === true),
});
