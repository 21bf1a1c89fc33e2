import { defineCommand, EXIT, WrongUsage } from '../command.ts';

interface BackupOptions {
  readonly media: boolean;
  readonly withConfig?: true;
}

/** As `nice` has it: the server beside us comes first. */
const LOW_PRIORITY = 10;
const STANDARD_OUTPUT = '-';

export const backupCommand = defineCommand<BackupOptions>({
  name: 'backup',
  summary: 'back up a server, running or not, into one file',
  help: `The file is a tar archive ("tar tf FILE" lists it; with a name that ends in .zst or .gz it is compressed):
the database with the signing keys, the media, and what they should be. It gets its name only when it is
whole and was read again; one of that name is replaced then. Whoever can read it can act as this server.
The configuration is not in it unless you ask for it, for it may hold passwords.
"-" writes to standard output; nothing can read that again, so look at it with "troupe verify --backup FILE".`,
  define: (command) =>
    command
      .argument('<FILE>', 'where to; "-" for standard output')
      .option('--no-media', 'only the list of media files: back up the folder media/ in another way')
      .option('--with-config', 'with the file that --config names'),
  async run(context, { args: [file = STANDARD_OUTPUT], options }) {
    const [
      { setPriority },
      { backUp },
      { formatBytes },
      { showProgress },
      { interruptible },
      implementation,
    ] = await Promise.all([
      import('node:os'),
      import('../../backup/back-up.ts'),
      import('../../backup/progress.ts'),
      import('../show-progress.ts'),
      import('../interruptible.ts'),
      import('../../http/kit/implementation.ts'),
    ]);
    const { clock, log, streams, configFile } = context;
    const config = context.loadConfig();
    const isStream = file === STANDARD_OUTPUT;
    if (isStream && streams.output.isTTY)
      throw new WrongUsage('a backup is not written to a terminal: name a file, or pipe it');
    if (options.withConfig === true && configFile === undefined)
      throw new WrongUsage('--with-config needs --config FILE');
    setPriority(LOW_PRIORITY);
    const shown = showProgress(context);
    const { manifest, summary, sizeBytes } = await interruptible((signal) =>
      backUp({
        dataFolder: config.data.path,
        to: isStream ? { stream: streams.output } : { file },
        withMedia: options.media,
        configFile: options.withConfig === true ? (configFile ?? null) : null,
        programVersion: implementation.IMPLEMENTATION.version,
        clock,
        log,
        onProgress: shown.onProgress,
        signal,
      }),
    ).finally(() => shown.end());
    const { included, leftOut, missing, damaged } = summary.media;
    const media = leftOut > 0 ? `the list of ${leftOut} media files` : `${included} media files`;
    const size = sizeBytes === null ? 'Written to standard output' : `${formatBytes(sizeBytes)}, checked`;
    context.say(
      `Backed up ${manifest.serverName}: the database (${formatBytes(manifest.database.sizeBytes)}), ${media}. ${isStream ? '' : `${file}: `}${size}.`,
    );
    if (missing + damaged > 0)
      context.say(
        `${missing} media files were not there and ${damaged} are damaged; the backup goes without them. "troupe verify --full" names them.`,
      );
    return EXIT.done;
  },
});
