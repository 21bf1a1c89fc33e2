import { CommandFailed, defineCommand, EXIT, WrongUsage } from '../command.ts';

interface DeactivateOptions {
  readonly erase?: true;
  readonly yes?: true;
}

export const userDeactivateCommand = defineCommand<DeactivateOptions>({
  name: 'deactivate',
  summary: 'end an account for ever',
  help: `The account's password, devices and keys go, it leaves its rooms, and its name stays taken. With --erase
its profile and account data go too, and whoever comes later is served its events without content; that
can be asked for later as well. It prints the user's id.`,
  define: (command) =>
    command
      .argument('<NAME>', 'the user: ann, or @ann:example.org')
      .option('--erase', 'erase what the user has left behind, too')
      .option('--yes', 'do not ask; needed where there is no terminal'),
  async run(context, { args: [name = ''], options }) {
    if (options.yes !== true && !context.isAttended)
      throw new WrongUsage('this cannot be undone: say that you mean it with --yes');
    const [{ confirm }, { withServer }, { textOf }] = await Promise.all([
      import('../ask.ts'),
      import('../with-server.ts'),
      import('../control-client.ts'),
    ]);
    const path = `/users/${encodeURIComponent(name)}`;
    const erase = options.erase === true;
    const done = await withServer(context, { mayCreate: false }, async (server) => {
      if (options.yes !== true) {
        const found = await server.ask('GET', path);
        const question = `End the account ${textOf(found, 'user_id')} for ever${erase ? ', and erase it' : ''}?`;
        if (!(await confirm(context, question))) throw new CommandFailed('nothing was changed');
      }
      return server.ask('POST', `${path}/deactivate`, { erase });
    });
    await context.print(`${textOf(done, 'user_id')}\n`);
    return EXIT.done;
  },
});
