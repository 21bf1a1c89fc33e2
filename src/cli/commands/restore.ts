import { defineCommand, EXIT } from '../command.ts';

interface RestoreCommandOptions {
  readonly data?: string;
  readonly force?: true;
}

export const restoreCommand = defineCommand<RestoreCommandOptions>({
  name: 'restore',
  summary: 'put a backup into the data folder, while no server runs',
  help: `The backup is unpacked and checked first: what fails changes nothing. Afterwards people find what was there
when the backup was made. Who has logged in since then logs in again; what was written since then in rooms
without other servers is lost; clients bring new one-time keys by themselves. docs/backup.md has the rest.`,
  define: (command) =>
    command
      .argument('<FILE>', 'of "troupe backup"')
      .option('--data <FOLDER>', 'another data folder than that of the configuration')
      .option('--force', 'move a server that is there into a folder "before-restore-…" inside'),
  async run(context, { args: [file = ''], options }) {
    const [{ restoreBackup }, { showProgress }, { interruptible }, { resolve }] = await Promise.all([
      import('../../backup/restore.ts'),
      import('../show-progress.ts'),
      import('../interruptible.ts'),
      import('node:path'),
    ]);
    const config = context.loadConfig();
    const { clock, log } = context;
    const dataFolder = options.data ?? config.data.path;
    const shown = showProgress(context);
    const restored = await interruptible((signal) =>
      restoreBackup({
        file,
        dataFolder,
        serverName: config.server.name,
        isForced: options.force === true,
        clock,
        log,
        onProgress: shown.onProgress,
        signal,
      }),
    ).finally(() => shown.end());
    const { manifest, aside, configFile, mediaMissing } = restored;
    context.say(
      `Restored ${manifest.serverName} as of ${new Date(manifest.createdTs).toISOString()} into ${resolve(dataFolder)}.`,
    );
    if (aside !== null) context.say(`What was there before is in ${aside}; delete it when all is well.`);
    if (configFile !== null)
      context.say(`The configuration of the backup is in ${configFile}; it is not in use.`);
    if (mediaMissing > 0)
      context.say(
        `${mediaMissing} media files are not in the backup: copy them into ${resolve(dataFolder, 'media')}. "troupe verify" names those that are missing.`,
      );
    context.say('Start the server now.');
    return EXIT.done;
  },
});
