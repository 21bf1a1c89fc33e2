import { defineCommand, EXIT } from '../command.ts';

export const userListCommand = defineCommand<{ readonly json?: true }>({
  name: 'list',
  summary: 'list all accounts',
  help: 'Times are those of the machine; "last seen" is when one of the user\'s devices last asked for something.',
  define: (command) => command.option('--json', 'as a JSON array of objects'),
  async run(context, { options }) {
    const [{ withServer }, { printUsers }] = await Promise.all([
      import('../with-server.ts'),
      import('../user-list.ts'),
    ]);
    await withServer(context, { mayCreate: false }, (server) =>
      printUsers(context, server, options.json === true),
    );
    return EXIT.done;
  },
});
