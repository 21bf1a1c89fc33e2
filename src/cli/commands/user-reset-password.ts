import { defineCommand, EXIT } from '../command.ts';
import { definePasswordOptions, type PasswordOptions } from '../password-options.ts';

export const userResetPasswordCommand = defineCommand<PasswordOptions & { readonly keepDevices?: true }>({
  name: 'reset-password',
  summary: 'give a user another password, and log out all devices',
  help: `On a terminal it asks for the password twice; otherwise it reads it from standard input. It prints the
user's id, and with --generate the password in a second line.`,
  define: (command) =>
    definePasswordOptions(
      command
        .argument('<NAME>', 'the user: ann, or @ann:example.org')
        .option('--keep-devices', 'log nothing out'),
    ),
  async run(context, { args: [name = ''], options }) {
    const [{ getNewPassword }, { withServer }, { textOf }] = await Promise.all([
      import('../new-password.ts'),
      import('../with-server.ts'),
      import('../control-client.ts'),
    ]);
    const { password, isGenerated } = await getNewPassword(context, options);
    const path = `/users/${encodeURIComponent(name)}/password`;
    const body = { password, keep_devices: options.keepDevices === true };
    const changed = await withServer(context, { mayCreate: false }, (server) =>
      server.ask('PUT', path, body),
    );
    await context.print(`${textOf(changed, 'user_id')}\n${isGenerated ? `${password}\n` : ''}`);
    return EXIT.done;
  },
});
