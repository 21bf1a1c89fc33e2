import { defineCommand, EXIT } from '../command.ts';

const CONFIG_FILE = 'config.toml';

export const initCommand = defineCommand<{ readonly serverName?: string; readonly force?: true }>({
  name: 'init',
  summary: 'write a configuration file for a new server',
  help: `The server's name is what stands after the colon in user ids (@you:example.org). It can never be
changed once there is a database.`,
  define: (command) =>
    command
      .argument('[FILE]', 'where to write it', CONFIG_FILE)
      .option('--server-name <NAME>', 'such as example.org; asked for when there is a terminal')
      .option('--force', 'write over a file that is there'),
  async run(context, { args: [file = CONFIG_FILE], options }) {
    const { findServerName, writeConfigFile } = await import('../init-config.ts');
    const serverName = await findServerName(context, options.serverName);
    writeConfigFile(file, serverName, options.force === true);
    // A file of that name is found in the current folder.
    const named = file === CONFIG_FILE ? '' : ` --config ${file}`;
    context.say(`Wrote ${file} for the server ${serverName}. What comes next:

  troupe check-config${named}
  troupe user create NAME --admin${named}
  troupe start${named}`);
    return EXIT.done;
  },
});
