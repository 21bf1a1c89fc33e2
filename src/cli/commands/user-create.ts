import { defineCommand, EXIT } from '../command.ts';
import { definePasswordOptions, type PasswordOptions } from '../password-options.ts';

export const userCreateCommand = defineCommand<PasswordOptions & { readonly admin?: true }>({
  name: 'create',
  summary: 'make an account',
  help: `On a terminal it asks for the password twice; otherwise it reads it from standard input. It prints the
new user's id, and with --generate the password in a second line.`,
  define: (command) =>
    definePasswordOptions(
      command
        .argument('<NAME>', 'the part of the user id before the colon')
        .option('--admin', 'make an administrator of the server'),
    ),
  async run(context, { args: [name = ''], options }) {
    const [{ getNewPassword }, { withServer }, { textOf }] = await Promise.all([
      import('../new-password.ts'),
      import('../with-server.ts'),
      import('../control-client.ts'),
    ]);
    const { password, isGenerated } = await getNewPassword(context, options);
    const admin = options.admin === true;
    const made = await withServer(context, { mayCreate: true }, (server) =>
      server.ask('POST', '/users', { name, password, admin }),
    );
    await context.print(`${textOf(made, 'user_id')}\n${isGenerated ? `${password}\n` : ''}`);
    return EXIT.done;
  },
});
